/* What stintd can be told, by flag, environment or file. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "core.h"
#include "log.h"
#include "settings.h"

enum { LISTEN_MAX = 16 };

/* Durations and limits of struct core_options, as settings are 64 bits wide. */
struct option_times {
    uint64_t heartbeat_ms, lost_ms, grace_ms, keep_ms, keep_dead_ms, session_keep_ms;
};

struct option_limits {
    uint64_t payload_bytes, result_bytes; /* of one job */
    uint64_t queue_backlog, backlog; /* jobs; 0: no limit */
    uint64_t queues, peers, sessions;
};

/* What is to be done with the data instead of serving them (upkeep.h). */
struct option_upkeep {
    const char *backup, *restore, *load; /* a file; NULL: it was not asked for */
    bool compact, dump, ignore_unknown;
    bool of_broker; /* the broker's number was given: the data are to be that one's */
    uint64_t growth_bytes; /* by which a data file that is read may grow meanwhile */
};

struct options {
    const char *endpoints[LISTEN_MAX];
    size_t endpoints_count;
    const char *data;
    const char *log_level, *log_format;
    const char *keys; /* directory */
    bool has_keys; /* the broker has one of its own there */
    bool allow_remote, require_keys, check_config, verify, init;
    uint64_t store_size, journal_size, disk_free, disk_reserve;
    uint64_t broker; /* its number */
    struct option_times times;
    struct option_upkeep upkeep;
    struct option_limits max;
};

/* Read and check them, and open the log as they say. On an error one line has gone to standard
 * error, and `*exit_code` is what the process should end with; so too after --help. False then. */
bool options_read(struct options *options, int argc, char **argv, int *exit_code);

/* The defaults. */
void options_init(struct options *options);

void options_to_core(const struct options *options, struct core_options *core);

#endif
