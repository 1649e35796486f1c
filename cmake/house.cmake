# How everything of ours is compiled: warnings are errors, assertions stay on in release builds.
add_library(stint_house INTERFACE)
target_compile_features(stint_house INTERFACE c_std_17)
target_compile_definitions(stint_house INTERFACE _GNU_SOURCE
  STINT_VERSION_TEXT="${PROJECT_VERSION}")
target_compile_options(stint_house INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  $<$<BOOL:${STINT_WERROR}>:-Werror>
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # cutting a message to its buffer is meant
  -UNDEBUG -fno-omit-frame-pointer)
# gcc clears a structure of a few hundred bytes by "rep stos", which takes longer to begin than the C
# library does for all of it. There are some of them in the way of each job.
include(CheckCCompilerFlag)
set(clearing -mmemset-strategy=unrolled_loop:64:noalign,libcall:-1:noalign)
check_c_compiler_flag(${clearing} STINT_CAN_CLEAR)
if(STINT_CAN_CLEAR)
  target_compile_options(stint_house INTERFACE ${clearing})
endif()
if(STINT_SANITIZE)
  target_compile_options(stint_house INTERFACE -fsanitize=${STINT_SANITIZE} -O1
    -fno-sanitize-recover=all)
  target_link_options(stint_house INTERFACE -fsanitize=${STINT_SANITIZE})
endif()

if(STINT_FUZZ)
  target_compile_options(stint_house INTERFACE -fsanitize=fuzzer-no-link,${STINT_FUZZ_WITH} -O1
    -fno-sanitize-recover=all)
  target_link_options(stint_house INTERFACE -fsanitize=${STINT_FUZZ_WITH})
  if(NOT STINT_FUZZ_WITH MATCHES address) # the fast build: half of its time would be comparisons
    target_compile_options(stint_house INTERFACE -fno-sanitize-coverage=trace-cmp)
  endif()
endif()
if(STINT_COVER)
  target_compile_options(stint_house INTERFACE --coverage -O0 -fprofile-update=atomic)
  target_link_options(stint_house INTERFACE --coverage)
endif()

# A static library of our own, not installed.
function(stint_part name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC stint_house)
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
