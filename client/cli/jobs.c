/* Job options and exec payloads; the contract is in jobs.h. */
#include "jobs.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

struct job_options job_options = {.priority = -1};

struct poptOption job_option_table[] = {
    {"queue", 'q', POPT_ARG_STRING, &job_options.queue, 0, "into this queue (default)", "NAME"},
    {"kind", 'k', POPT_ARG_STRING, &job_options.kind, 0, "which handler runs it (default)", "NAME"},
    {"priority", 'p', POPT_ARG_INT, &job_options.priority, 0, "0 to 255, higher first (100)", "N"},
    {"attempts", 'a', POPT_ARG_INT, &job_options.attempts, 0, "runs before it is dead (5)", "N"},
    {"keep", 0, POPT_ARG_STRING, &job_options.keep, 0,
        "keep its outcome so long; 0: forget it at success (the broker's, 24h)", "TIME"},
    {"time-to-run", 0, POPT_ARG_STRING, &job_options.time_to_run, 0,
        "a run may take so long (no limit)", "TIME"},
    {"backoff", 0, POPT_ARG_STRING, &job_options.backoff, 0,
        "wait so long after the first failure, then twice as long each time (1s)", "TIME"},
    {"backoff-cap", 0, POPT_ARG_STRING, &job_options.backoff_cap, 0, "but at most so long (10m)",
        "TIME"},
    POPT_TABLEEND};

int
jobs_fill(const struct cli *cli, struct stint_job *job)
{
    const struct job_options *o = &job_options;
    struct stint_job fresh = STINT_JOB_INIT;
    uint64_t keep;
    *job = fresh;
    job->queue = o->queue;
    job->kind = o->kind;
    if (o->priority < -1 || o->priority > 255)
        return cli_usage(cli, "--priority=%d: write 0 to 255", o->priority);
    if (o->attempts < 0 || o->attempts > 65535)
        return cli_usage(cli, "--attempts=%d: write 1 to 65535", o->attempts);
    job->priority = o->priority;
    job->max_attempts = (uint32_t)o->attempts;
    if (o->keep) {
        if (!cli_duration(cli, "keep", o->keep, &keep))
            return EX_USAGE;
        job->keep_ms = (int64_t)keep;
    }
    if ((o->time_to_run &&
            !cli_duration(cli, "time-to-run", o->time_to_run, &job->time_to_run_ms)) ||
        (o->backoff && !cli_duration(cli, "backoff", o->backoff, &job->backoff_base_ms)) ||
        (o->backoff_cap && !cli_duration(cli, "backoff-cap", o->backoff_cap, &job->backoff_cap_ms)))
        return EX_USAGE;
    return EX_OK;
}

static char *
copied(const char *text)
{
    char *c = strdup(text);
    if (!c)
        abort();
    return c;
}

/* "{}" in a shell's text becomes "$1", in quotes: what is in the line is never read as code. */
static char *
shell_text(const char *text)
{
    size_t places = 0;
    for (const char *p = text; (p = strstr(p, "{}")); p += 2)
        places++;
    char *out = malloc(strlen(text) + 2 * places + 1), *at = out;
    if (!out)
        abort();
    while (*text) {
        if (strncmp(text, "{}", 2) == 0) {
            memcpy(at, "\"$1\"", 4);
            at += 4;
            text += 2;
        } else
            *at++ = *text++;
    }
    *at = '\0';
    return out;
}

int
jobs_template(const struct cli *cli, const char **args, bool shell, struct template *t)
{
    const char **words = args;
    const char **cut = NULL;
    int count = 0;
    *t = (struct template){0};
    if (!args || !args[0])
        return cli_usage(cli, "which command? see stint %s --help", cli->verb);
    while (args[count])
        count++;
    if (shell) {
        if (count > 1)
            return cli_usage(cli, "with --shell the command is one argument");
        t->words = calloc(5, sizeof *t->words);
        if (!t->words)
            abort();
        t->words[t->count++] = copied("/bin/sh");
        t->words[t->count++] = copied("-c");
        t->words[t->count++] = shell_text(args[0]);
        t->words[t->count++] = copied("sh"); /* then the line, as $1 */
        return EX_OK;
    }
    if (count == 1 && strpbrk(args[0], " \t'\"")) {
        if (poptParseArgvString(args[0], &count, &cut) != 0 || count == 0)
            return cli_usage(cli, "the command can't be cut into words: %s", args[0]);
        words = cut;
    }
    t->words = calloc((size_t)count + 1, sizeof *t->words);
    if (!t->words)
        abort();
    for (; t->count < (size_t)count; t->count++) {
        t->words[t->count] = copied(words[t->count]);
        t->has_place |= strstr(words[t->count], "{}") != NULL;
    }
    free(cut);
    return EX_OK;
}

void
jobs_template_free(struct template *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->words[i]);
    free(t->words);
    *t = (struct template){0};
}

static void
pack_text(msgpack_packer *p, const char *text, size_t size)
{
    msgpack_pack_str(p, size);
    msgpack_pack_str_body(p, text, size);
}

/* A word with the line in its places. */
static void
pack_word(msgpack_packer *p, const char *word, const char *line, size_t line_bytes)
{
    size_t places = 0;
    for (const char *at = word; line && (at = strstr(at, "{}")); at += 2)
        places++;
    msgpack_pack_str(p, strlen(word) + places * line_bytes - 2 * places);
    while (*word) {
        const char *place = line ? strstr(word, "{}") : NULL;
        size_t before = place ? (size_t)(place - word) : strlen(word);
        msgpack_pack_str_body(p, word, before);
        word += before;
        if (place) {
            msgpack_pack_str_body(p, line, line_bytes);
            word += 2;
        }
    }
}

void *
jobs_payload(
    const struct template *t, const char *line, size_t line_bytes, bool once, size_t *bytes)
{
    msgpack_sbuffer buffer;
    msgpack_packer p;
    bool append = line && !t->has_place;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&p, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&p, once ? 2 : 1);
    pack_text(&p, "argv", 4);
    msgpack_pack_array(&p, t->count + append);
    for (size_t i = 0; i < t->count; i++)
        pack_word(&p, t->words[i], t->has_place ? line : NULL, line_bytes);
    if (append)
        pack_text(&p, line, line_bytes);
    if (once) {
        pack_text(&p, "once", 4);
        msgpack_pack_true(&p);
    }
    *bytes = buffer.size;
    return msgpack_sbuffer_release(&buffer);
}
