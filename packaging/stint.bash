# Completion of the stint command for bash. Verbs, options and values come from the program itself.
_stint_names() { # verb, field: the names that `stint VERB ls` tells
    stint "$1" ls --json --broker-timeout 500ms 2>/dev/null | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p"
}
_stint() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -e | --endpoint | --key | --broker-key | --broker-timeout)
            [ "${COMP_WORDS[i+1]}" != = ] || ((i++)) # bash takes = and : for words of their own
            ((i++))
            while [ "${COMP_WORDS[i+1]}" = : ]; do ((i += 2)); done ;;
        -*) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    local values=
    case $before in
    -q | --queue) values=$(stint --values queues 2>/dev/null) ;;
    -k | --kind) values=$(stint --values kinds 2>/dev/null) ;;
    -s | --states) values=$(stint --values states 2>/dev/null) ;;
    -m | --mode) values="lifecycle submit drain latency start" ;;
    --role) values="client worker admin" ;;
    --batch) values=$(_stint_names batch batch) ;;
    --feed) values=$(_stint_names feed name) ;;
    --halt) values="now,fail=1 soon,fail=1 now,success=1 never" ;;
    --result | -f | --file | -i | --input | --stdin | --joblog | --key | --broker-key) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    -L | --local | --state | --results | --wd | -d | --directory | --keys | --out)
        mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    esac
    if [ -z "$values" ] && [ -z "$verb" ]; then
        values="$(stint --words 2>/dev/null) help --endpoint --key --broker-key --broker-timeout --json --help --version"
    elif [ -z "$values" ] && [ "$verb" = help ]; then
        values=$(stint --words 2>/dev/null)
    elif [ -z "$values" ] && [[ $current == -* ]]; then
        values=$(stint --words "$verb" 2>/dev/null)
    elif [ -z "$values" ]; then
        case $verb in
        worker)
            case $before in
            worker) values="show resize pause resume drain stop" ;;
            --label) ;;
            *) values=$(stint --values workers 2>/dev/null) ;;
            esac ;;
        queue)
            case $before in
            queue) values="pause resume close open set rm" ;;
            *) values=$(stint --values queues 2>/dev/null) ;;
            esac ;;
        groups) values=$(stint --values queues 2>/dev/null) ;;
        schedule)
            case $before in
            schedule) values="set ls show next pause resume run rm" ;;
            *) values=$(stint --values schedules 2>/dev/null) ;;
            esac ;;
        batch)
            case $before in
            batch) values="new success always close show wait cancel ls" ;;
            *) values=$(_stint_names batch batch) ;;
            esac ;;
        feed)
            case $before in
            feed) values="add ls rm" ;;
            *) values=$(_stint_names feed name) ;;
            esac ;;
        bulk) values="cancel retry delete promote move priority ls show wait stop" ;;
        fleet) values="up down status size scale" ;;
        key)
            case $before in
            key) values="new add list show revoke" ;;
            add | show) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
            esac ;;
        show | why | result | wait | follow | cancel | retry | change | promote | delete | events) values=$(stint --values ids 2>/dev/null) ;;
        run | map) values=$(compgen -c -- "$current") ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
complete -o filenames -F _stint stint
