# Completion of the stint command for fish. Verbs, options and values come from the program itself.
function __stint_verb
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word -e --endpoint --key --broker-key --broker-timeout
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return 0
        end
    end
    return 1
end
function __stint_is
    set -l verb (__stint_verb); and contains -- $verb $argv
end
function __stint_names # verb, field: the names that `stint VERB ls` tells
    stint $argv[1] ls --json --broker-timeout 500ms 2>/dev/null | sed -n "s/.*\"$argv[2]\":\"\([^\"]*\)\".*/\1/p"
end
complete -c stint -n 'not __stint_verb >/dev/null' -f -a '(stint --words 2>/dev/null) help'
complete -c stint -n '__stint_is help' -f -a '(stint --words 2>/dev/null)'
complete -c stint -n '__stint_verb >/dev/null' -a '(stint --words (__stint_verb) 2>/dev/null)'
complete -c stint -n '__stint_is show why result wait follow cancel retry change promote delete events' -f -a '(stint --values ids 2>/dev/null)'
complete -c stint -n '__stint_is worker' -f -a 'show resize pause resume drain stop (stint --values workers 2>/dev/null)'
complete -c stint -n '__stint_is queue' -f -a 'pause resume close open set rm (stint --values queues 2>/dev/null)'
complete -c stint -n '__stint_is groups' -f -a '(stint --values queues 2>/dev/null)'
complete -c stint -n '__stint_is schedule' -f -a 'set ls show next pause resume run rm (stint --values schedules 2>/dev/null)'
complete -c stint -n '__stint_is batch' -f -a 'new success always close show wait cancel ls (__stint_names batch batch)'
complete -c stint -n '__stint_is feed' -f -a 'add ls rm (__stint_names feed name)'
complete -c stint -n '__stint_is bulk' -f -a 'cancel retry delete promote move priority ls show wait stop'
complete -c stint -n '__stint_is fleet' -a 'up down status size scale'
complete -c stint -n '__stint_is key' -a 'new add list show revoke'
complete -c stint -l key -r
complete -c stint -l broker-key -r
complete -c stint -n '__stint_is key' -l role -x -a 'client worker admin'
complete -c stint -n '__stint_is key' -l keys -x -a '(__fish_complete_directories)'
complete -c stint -n '__stint_is key' -l out -x -a '(__fish_complete_directories)'
complete -c stint -s q -l queue -x -a '(stint --values queues 2>/dev/null)'
complete -c stint -s k -l kind -x -a '(stint --values kinds 2>/dev/null)'
complete -c stint -n '__stint_is submit run map ls' -l batch -x -a '(__stint_names batch batch)'
complete -c stint -n '__stint_is events' -l feed -x -a '(__stint_names feed name)'
complete -c stint -n '__stint_is ls' -s s -l states -x -a '(stint --values states 2>/dev/null)'
complete -c stint -n '__stint_is bench' -s m -l mode -x -a 'lifecycle submit drain latency start'
complete -c stint -n '__stint_is map' -l halt -x -a 'now,fail=1 soon,fail=1 now,success=1 never'
complete -c stint -n '__stint_is map run' -s L -l local -x -a '(__fish_complete_directories)'
complete -c stint -n '__stint_is map' -l state -x -a '(__fish_complete_directories)'
