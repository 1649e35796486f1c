/* libstint_embed: the broker in your own process. Public header.
 *
 *     struct stint_embed *queue;
 *     struct stint_client_options options = {0};
 *     struct stint_client *client;
 *
 *     if (stint_embed_open("/var/lib/app/queue", NULL, &queue) != STINT_OK)
 *         errx(1, "%s", stint_embed_open_error());
 *     options.endpoint = stint_embed_endpoint(queue);
 *     stint_client_new(&options, &client);
 *     ...submit, and run jobs by the functions of stint.h and stint_worker.h...
 *     stint_client_destroy(&client);
 *     stint_embed_close(&queue);
 *
 * What stintd does in a process of its own is done here on a thread, with the same directory: a
 * stintd may go on with it later, and the other way round. Where the string names an endpoint, as
 * "tcp://broker:5670", nothing is opened and the broker there is used: so a program is moved to a
 * broker of its own by changing one string.
 *
 * Nothing of the process is changed: no signal handler, no limit, no umask, no stream, no exit. A
 * broker that can't go on (its disk failed) ends alone; see stint_embed_status.
 */
#ifndef STINT_EMBED_H
#define STINT_EMBED_H

#include <stdint.h>

#include "stint_status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stint_embed;

enum stint_embed_level {
    STINT_EMBED_ERROR,
    STINT_EMBED_WARN,
    STINT_EMBED_INFO,
    STINT_EMBED_DEBUG,
};

/* A line of the broker's log, as stintd writes it, without time and newline: an event in quotes and
 * name=value pairs. On the broker's thread, which waits for it; `line` is good until it returns. */
typedef void stint_embed_log_fn(void *context, enum stint_embed_level level, const char *line);

/* The broker has ended and will not come back by itself: `why` is a sentence. Nothing was answered
 * that is not on disk. On the broker's thread; not for stint_embed_close. */
typedef void stint_embed_failed_fn(void *context, enum stint_status status, const char *why);

/* Set it to 0 and fill in what is to be other than the default. */
struct stint_embed_options {
    stint_embed_log_fn *log; /* NULL: nobody reads the log */
    void *log_context;
    enum stint_embed_level log_level; /* with `log`: this and what is graver */
    stint_embed_failed_fn *failed; /* NULL: nobody is told */
    void *failed_context;
    uint64_t keep_ms; /* keep outcomes and results so long; 0: 24 h */
    uint64_t keep_dead_ms; /* keep dead jobs at least so long; 0: 30 days */
    /* After a restart, wait so long for workers to claim what they ran; 0: 10 s. Where all workers
     * are threads of this process nobody is left to claim, and 1 is right. */
    uint64_t grace_ms;
    uint64_t payload_bytes, result_bytes; /* the largest of a job; 0: 1 MiB; at most 4 MiB */
    uint64_t backlog; /* refuse submits while so many jobs wait in all; 0: no limit */
    uint64_t store_bytes; /* largest the store may become: address space, not disk; 0: 64 GiB */
    uint64_t disk_free_bytes; /* refuse submits while the disk has less room; 0: 256 MiB */
    uint64_t disk_reserve_bytes; /* allocated ahead, for settling on a full disk; 0: 32 MiB */
    uint16_t broker; /* its number, part of every id; fixed with the directory */
    uint64_t reserved[6];
};

/* Open the jobs at `where`: a directory, which is made if it is not there and is served until
 * stint_embed_close; or an endpoint that begins with tcp:// or ipc:// (several are parted by
 * commas), of a stintd that runs already. `options` may be NULL and is not kept. Returns when jobs
 * can be submitted. The caller owns `*embed`. Any thread.
 *
 * Errors: STINT_IN_USE: a stintd, another program or this one has the directory open; give its
 * endpoint to those who need it. STINT_DAMAGED, STINT_IO: what lies there can't be used.
 * STINT_VERSION_MISMATCH: a newer stint wrote it. STINT_INVALID, STINT_SYSTEM, STINT_NO_MEMORY. */
STINT_EXPORT enum stint_status stint_embed_open(
    const char *where, const struct stint_embed_options *options, struct stint_embed **embed);

/* A sentence about why stint_embed_open failed last in this thread; "" if it did not. A string of
 * the thread's own. */
STINT_EXPORT const char *stint_embed_open_error(void);

/* Where clients and workers find it: for `endpoint` of their options. Of a directory that is a
 * socket in it, with rights for this user alone; the command stint and workers in other processes
 * may use it too. Owned by `embed`. Any thread. */
STINT_EXPORT const char *stint_embed_endpoint(const struct stint_embed *embed);

/* STINT_OK while it serves. Else why it has ended: STINT_IO: the store could not be written;
 * STINT_DAMAGED: the data file is gone, or contradicts itself. `*why` (NULL: not wanted) is a
 * sentence, owned by `embed`. From then on every call of clients and workers fails with
 * STINT_CLOSING and that sentence: destroy them, close and open again, which goes on from what is
 * on disk. Of an endpoint it is always STINT_OK. Any thread. */
STINT_EXPORT enum stint_status
stint_embed_status(const struct stint_embed *embed, const char **why);

/* Stop: what has arrived is still answered; no thread and no descriptor is left. Sets the pointer
 * to NULL. Clients and workers may be destroyed before or after; those that go on wait for a broker
 * there. What is lost by not calling it is nothing. After fork(2) the child may call it, which
 * frees nothing of the parent's; it is to use nothing else of `embed`. Not from a callback. */
STINT_EXPORT void stint_embed_close(struct stint_embed **embed);

#ifdef __cplusplus
}
#endif
#endif
