/* The hosts of a fleet; the contract is in hosts.h. */
#include "hosts.h"
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct cli *cli;
    const char *path;
    unsigned line;
    struct host usual; /* what the last line of * says */
    struct hosts *hosts;
};

static int
wrong(const struct reading *r, const char *what, const char *word)
{
    cli_say(r->cli, "%s, line %u: %s%s%s", r->path, r->line, word, *word ? ": " : "", what);
    return EX_CONFIG;
}

/* Of "--queue=mail", the part without the value. */
static size_t
option_bytes(const char *option)
{
    return strcspn(option, "=");
}

bool
host_has(const struct host *host, const char *option)
{
    for (size_t i = 0; i < host->options_count; i++) {
        const char *has = host->options[i] + 2;
        if (option_bytes(has) == strlen(option) && strncmp(has, option, strlen(option)) == 0)
            return true;
    }
    return false;
}

static void
append(struct host *host, char *option)
{
    host->options = realloc(host->options, (host->options_count + 1) * sizeof *host->options);
    if (!host->options)
        abort();
    host->options[host->options_count++] = option;
}

void
host_add(struct host *host, const char *option, const char *value)
{
    size_t size = strlen(option) + strlen(value) + 4;
    char *text = cli_allocate(size);
    (void)snprintf(text, size, "--%s=%s", option, value);
    append(host, text);
}

static void
host_free(struct host *host)
{
    for (size_t i = 0; i < host->options_count; i++)
        free(host->options[i]);
    free(host->options);
    free(host->name);
    free(host->address);
    free(host->program);
    free(host->directory);
    free(host->copy_key);
    free(host->copy_broker_key);
    *host = (struct host){0};
}

void
hosts_free(struct hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        host_free(&hosts->all[i]);
    free(hosts->all);
    *hosts = (struct hosts){0};
}

/* Names become words of commands and names of directories: nothing in them may mean more. */
static bool
is_plain(const char *text, const char *more)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (*text == '\0' || *text == '-' || *text == '.')
        return false;
    while (*(text += strspn(text, plain)))
        if (!strchr(more, *text++))
            return false;
    return true;
}

static int
set_once(const struct reading *r, char **to, const char *word, const char *value)
{
    if (*to)
        return wrong(r, "it is given twice", word);
    if (!value || !*value)
        return wrong(r, "it takes a value", word);
    *to = cli_copy(value, strlen(value));
    return EX_OK;
}

/* Where stintd --init puts what a worker's host needs. */
static int
set_keys(const struct reading *r, struct host *host, const char *directory)
{
    static const char key[] = "/worker.key", broker_key[] = "/keys/broker.pub";
    if (host->copy_key || host->copy_broker_key)
        return wrong(r, "it is given twice", "copy-keys");
    if (!directory || !*directory)
        return wrong(r, "it takes a value", "copy-keys");
    size_t size = strlen(directory);
    host->copy_key = cli_allocate(size + sizeof key);
    host->copy_broker_key = cli_allocate(size + sizeof broker_key);
    (void)snprintf(host->copy_key, size + sizeof key, "%s%s", directory, key);
    (void)snprintf(host->copy_broker_key, size + sizeof broker_key, "%s%s", directory, broker_key);
    return EX_OK;
}

/* A word of a line: a setting of the launching, or an option of the worker. */
static int
take_setting(const struct reading *r, struct host *host, const char *word)
{
    const struct {
        const char *name;
        char **to;
    } ours[] = {{"address", &host->address}, {"program", &host->program},
        {"directory", &host->directory}, {"copy-key", &host->copy_key},
        {"copy-broker-key", &host->copy_broker_key}};
    size_t size = option_bytes(word);
    const char *value = word[size] == '=' ? word + size + 1 : NULL;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i].name) == size && strncmp(word, ours[i].name, size) == 0)
            return set_once(r, ours[i].to, ours[i].name, value);
    if (strncmp(word, "copy-keys", size) == 0 && size == strlen("copy-keys"))
        return set_keys(r, host, value);
    if (size == 0 || size != strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") || *word == '-')
        return wrong(r, "a setting is NAME=VALUE or NAME, as stint-worker --help has them", word);
    if (strchr(word, '\n'))
        return wrong(r, "a value has no line break", "settings");
    char *option = cli_allocate(strlen(word) + 3);
    (void)snprintf(option, strlen(word) + 3, "--%s", word);
    append(host, option);
    return EX_OK;
}

static void
take_over(char **to, const char *usual)
{
    if (!*to && usual)
        *to = cli_copy(usual, strlen(usual));
}

/* What the host does not say itself. An option that it has at all is its own in each occurrence. */
static void
fill_in(struct host *host, const struct host *usual)
{
    size_t own = host->options_count;
    take_over(&host->address, usual->address);
    take_over(&host->program, usual->program);
    take_over(&host->directory, usual->directory);
    take_over(&host->copy_key, usual->copy_key);
    take_over(&host->copy_broker_key, usual->copy_broker_key);
    for (size_t i = 0; i < usual->options_count; i++) {
        const char *option = usual->options[i];
        size_t size = option_bytes(option);
        bool has = false;
        for (size_t k = 0; k < own; k++)
            has |= option_bytes(host->options[k]) == size &&
                strncmp(host->options[k], option, size) == 0;
        if (!has)
            append(host, cli_copy(option, strlen(option)));
    }
}

static int
name_host(const struct reading *r, struct host *host, const char *word)
{
    const char *at = strrchr(word, '@'), *name = at ? at + 1 : word;
    if (!is_plain(word, "@:") || !is_plain(name, ""))
        return wrong(
            r, "a host's name is letters, digits, '.', '_' and '-', with USER@ before it", word);
    if (host_has(host, "name"))
        return wrong(
            r, "the worker has the name of its host; say address= for what ssh needs", "name");
    for (size_t i = 0; i < r->hosts->count; i++)
        if (strcmp(r->hosts->all[i].name, name) == 0)
            return wrong(
                r, "it stands in the file already; say address= for a second worker", name);
    host->name = cli_copy(name, strlen(name));
    if (!host->address)
        host->address = cli_copy(word, strlen(word));
    return is_plain(host->address, "@:[]%")
        ? EX_OK
        : wrong(r, "that is no address for ssh: write HOST or USER@HOST", host->address);
}

static int
take_host(struct reading *r, struct host *host, const char *word)
{
    char *address = host->address;
    int rc;
    if (strcmp(word, "*") == 0) {
        if (address)
            return wrong(r, "it differs from host to host", "address");
        host_free(&r->usual);
        r->usual = *host;
        *host = (struct host){0};
        return EX_OK;
    }
    if ((rc = name_host(r, host, word)) != EX_OK)
        return rc;
    fill_in(host, &r->usual);
    struct hosts *hosts = r->hosts;
    hosts->all = realloc(hosts->all, (hosts->count + 1) * sizeof *hosts->all);
    if (!hosts->all)
        abort();
    hosts->all[hosts->count++] = *host;
    *host = (struct host){0};
    return EX_OK;
}

static int
take_line(struct reading *r, const char *text)
{
    const char **words;
    int count, rc = EX_OK;
    struct host host = {0};
    text += strspn(text, " \t");
    if (*text == '\0' || *text == '#')
        return EX_OK;
    const char *why = words_cut(text, &count, &words);
    if (why)
        return wrong(r, why, "");
    for (int i = 1; i < count && rc == EX_OK; i++)
        rc = take_setting(r, &host, words[i]);
    if (rc == EX_OK)
        rc = take_host(r, &host, words[0]);
    host_free(&host);
    free(words);
    return rc;
}

static int
read_lines(struct reading *r, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int rc = EX_OK;
    while (rc == EX_OK && (n = getline(&line, &size, file)) >= 0) {
        r->line++;
        if (n > 0 && line[n - 1] == '\n')
            line[--n] = '\0';
        rc = strlen(line) == (size_t)n ? take_line(r, line) : wrong(r, "it is no text", "");
    }
    free(line);
    if (rc == EX_OK && ferror(file)) {
        cli_say(r->cli, "can't read %s: %s", r->path, strerror(errno));
        rc = EX_NOINPUT;
    }
    return rc;
}

int
hosts_read(struct cli *cli, const char *path, struct hosts *hosts)
{
    bool standard = strcmp(path, "-") == 0;
    struct reading r = {.cli = cli, .path = standard ? "standard input" : path, .hosts = hosts};
    FILE *file = standard ? stdin : fopen(path, "re");
    *hosts = (struct hosts){0};
    if (!file) {
        cli_say(cli, "can't read %s: %s", path, strerror(errno));
        return EX_NOINPUT;
    }
    int rc = read_lines(&r, file);
    if (!standard)
        (void)fclose(file);
    host_free(&r.usual);
    if (rc == EX_OK && hosts->count == 0) {
        cli_say(cli, "%s names no host", r.path);
        rc = EX_CONFIG;
    }
    if (rc != EX_OK)
        hosts_free(hosts);
    return rc;
}
