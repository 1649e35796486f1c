/* The file that says which hosts a fleet has: a line a host, its name and then settings of its
 * worker, `NAME=VALUE` or `NAME`, as stint-worker has them with `--` before. Words are quoted as at
 * a shell. A line of `*` gives settings to all hosts below it that do not name them themselves.
 *
 *     *            endpoint=tcp://10.0.0.1:5670 queue=mail exec
 *     host1        slots=8
 *     root@host2   slots=4 queue=web "handle=resize=/opt/bin/resize -q 80"
 *
 * Some settings are for reaching the host and starting the worker there, and no option of its:
 *
 *     address=     what ssh is to connect to, if it is not the name
 *     program=     the worker's program there (stint-worker, as the host's path finds it)
 *     directory=   where the worker starts (the home directory)
 *     copy-key=    a key file of ours, which the host gets a copy of; the worker's --key
 *     copy-broker-key=   likewise, the broker's public one; the worker's --broker-key
 *     copy-keys=   both, as stintd --init has made them in this directory
 */
#ifndef HOSTS_H
#define HOSTS_H

#include "cli.h"

struct host {
    char *name; /* of the worker: what stands before the address, without user@ */
    char *address, *program, *directory, *copy_key, *copy_broker_key; /* NULL: not given */
    char **options; /* --NAME=VALUE, in order */
    size_t options_count;
};

struct hosts {
    struct host *all;
    size_t count;
};

/* Read the file; "-" is standard input. Returns an exit code, after saying what is wrong and in
 * which line. */
int hosts_read(struct cli *cli, const char *path, struct hosts *hosts);
void hosts_free(struct hosts *hosts);

/* Has the worker of this host this option, without its dashes? */
bool host_has(const struct host *host, const char *option);
/* One more option of its worker. */
void host_add(struct host *host, const char *option, const char *value);

#endif
