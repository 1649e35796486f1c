/* Runs a target on files, without a fuzzer: what was found once is tried with every build. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static unsigned files;

static void
run_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    static uint8_t bytes[1 << 20];
    if (!f)
        return;
    size_t size = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    uint8_t *exact = malloc(size + 1); /* so that a byte too far is seen */
    MUST(exact);
    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    files++;
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        char path[4096];
        if (!d) {
            run_file(argv[i]);
            continue;
        }
        for (const struct dirent *e; (e = readdir(d)) != NULL;)
            if (e->d_name[0] != '.') {
                (void)snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
                run_file(path);
            }
        closedir(d);
    }
    printf("%u files\n", files);
    return files ? 0 : 1;
}
