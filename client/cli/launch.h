/* Workers on other hosts, by the system's ssh: started, asked after and stopped, a process of ssh a
 * host, several at a time. On the host, all about a worker is in a directory of its own,
 * ~/.local/state/stint/fleet/NAME: a lock that the worker holds as long as it lives, its command
 * line, process id, key and log. So asking twice does the same as asking once.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "hosts.h"

enum launch_verb { LAUNCH_UP, LAUNCH_DOWN, LAUNCH_STATUS };

struct launch_options {
    enum launch_verb verb;
    const char *ssh; /* the command, words as at a shell; NULL: STINT_SSH, or else ssh */
    uint64_t wait_ms; /* up: until it is connected; down: until it has ended */
    bool now; /* down: what runs is ended and given back, not waited for */
    unsigned at_once; /* processes of ssh */
};

/* What became of one host, when it is known. */
struct launch_report {
    const struct host *host;
    /* up: "running", "started", "restarted"; down: "stopped", "not running"; status: "running",
     * "not running"; any: "failed" */
    const char *state;
    const char *detail; /* "" or a sentence */
    long pid; /* of the worker, there; 0: none */
};
typedef void launch_told(void *context, const struct launch_report *report);

/* Do it on all hosts; `told` is called once a host. Returns an exit code: EX_OK if it worked on
 * all of them. A signal ends it: then the rest is told as failed. */
int launch(struct cli *cli, const struct hosts *hosts, const struct launch_options *options,
    launch_told *told, void *context);

#endif
