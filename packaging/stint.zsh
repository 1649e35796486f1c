#compdef stint
# Completion of the stint command for zsh. Verbs, options and values come from the program itself.
_stint_names() { # verb, field: the names that `stint VERB ls` tells
    compadd -- ${(f)"$(stint $1 ls --json --broker-timeout 500ms 2>/dev/null | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p")"}
}
_stint() {
    local verb= i
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
        -e | --endpoint | --key | --broker-key | --broker-timeout) ((i++)) ;;
        -*) ;;
        *) verb=${words[i]}; break ;;
        esac
    done
    case ${words[CURRENT-1]} in
    -q | --queue) compadd -- ${(f)"$(stint --values queues 2>/dev/null)"}; return ;;
    -k | --kind) compadd -- ${(f)"$(stint --values kinds 2>/dev/null)"}; return ;;
    -s | --states) compadd -- ${(f)"$(stint --values states 2>/dev/null)"}; return ;;
    -m | --mode) compadd -- lifecycle submit drain latency start; return ;;
    --role) compadd -- client worker admin; return ;;
    --batch) _stint_names batch batch; return ;;
    --feed) _stint_names feed name; return ;;
    --halt) compadd -- now,fail=1 soon,fail=1 now,success=1 never; return ;;
    -f | --file | -i | --input | --stdin | --joblog | --key | --broker-key) _files; return ;;
    -L | --local | --state | --results | --wd | -d | --directory | --keys | --out) _files -/; return ;;
    esac
    if [[ -z $verb || $verb == help ]]; then
        compadd -- ${(f)"$(stint --words 2>/dev/null)"} help
        [[ -n $verb ]] || compadd -- --endpoint --key --broker-key --broker-timeout --json --help --version
    elif [[ $PREFIX == -* ]]; then
        compadd -- ${(f)"$(stint --words $verb 2>/dev/null)"}
    else
        case $verb in
        show | why | result | wait | follow | cancel | retry | change | promote | delete | events)
            compadd -- ${(f)"$(stint --values ids 2>/dev/null)"} ;;
        worker)
            case ${words[CURRENT-1]} in
            worker) compadd -- show resize pause resume drain stop ;;
            *) compadd -- ${(f)"$(stint --values workers 2>/dev/null)"} ;;
            esac ;;
        queue)
            case ${words[CURRENT-1]} in
            queue) compadd -- pause resume close open set rm ;;
            *) compadd -- ${(f)"$(stint --values queues 2>/dev/null)"} ;;
            esac ;;
        groups) compadd -- ${(f)"$(stint --values queues 2>/dev/null)"} ;;
        schedule)
            case ${words[CURRENT-1]} in
            schedule) compadd -- set ls show next pause resume run rm ;;
            *) compadd -- ${(f)"$(stint --values schedules 2>/dev/null)"} ;;
            esac ;;
        batch)
            case ${words[CURRENT-1]} in
            batch) compadd -- new success always close show wait cancel ls ;;
            *) _stint_names batch batch ;;
            esac ;;
        feed)
            case ${words[CURRENT-1]} in
            feed) compadd -- add ls rm ;;
            *) _stint_names feed name ;;
            esac ;;
        bulk) compadd -- cancel retry delete promote move priority ls show wait stop ;;
        fleet) compadd -- up down status size scale ;;
        key)
            case ${words[CURRENT-1]} in
            key) compadd -- new add list show revoke ;;
            *) _files ;;
            esac ;;
        run | map) _command_names -e || _files ;;
        *) _files ;;
        esac
    fi
}
_stint "$@"
