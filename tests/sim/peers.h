/* Clients and workers of the simulated world: the real libstint, each in a process of its own that
 * can be killed, paused and cut off. They want what peers want: jobs stored once, run, and heard
 * of.
 */
#ifndef SIM_PEERS_H
#define SIM_PEERS_H

#include "sim.h"

enum { CLIENTS_MAX = 4, WORKERS_MAX = 5 };

struct load {
    unsigned clients, workers, queues;
    unsigned submissions; /* of each client */
    unsigned jobs_most; /* in a submission */
    unsigned eager; /* in a hundred times that a client looks up, it submits again at once */
    unsigned unlucky; /* runs in a hundred that do not succeed */
    unsigned slow; /* runs in a hundred that take seconds */
    unsigned large; /* payloads and results in a hundred that are large */
    uint64_t far_us; /* peers are up to so far from the broker */
    unsigned killers; /* jobs in a hundred that end whatever worker runs them */
    unsigned picky; /* jobs in a hundred that not every worker can start */
    unsigned keyed; /* that have a unique key */
    unsigned linked; /* that are after others */
    unsigned bringing; /* runs in a hundred that ask for new jobs with their end */
    unsigned needy; /* that need something of a worker */
    unsigned grouped; /* that are in a group */
    unsigned kinds; /* of jobs; some workers handle but one of them */
    bool brief; /* outcomes are kept for a short time */
    bool ruled; /* people resize and pause workers, and send them away */
    bool greedy; /* a peer asks for much and reads little */
    bool keys; /* peers come with keys, most of which are for some queues only */
    bool full; /* some clients will never find room: they are told so */
    bool ticks; /* somebody sets schedules */
    unsigned batched; /* jobs in a hundred that are put into batches */
};

void peers_begin(const struct load *load, uint64_t seed);
/* The process a fault is to happen to: workers after clients. */
struct process *peers_process(unsigned index);
/* Killed now, and begun again after a while. */
void peers_kill(unsigned index, uint64_t down_us);
/* A worker is told to stop in peace, and is begun again. */
void peers_stop_worker(unsigned index, uint64_t down_us);
/* Faults have stopped: every run succeeds now, at once. */
void peers_calm(void);
/* Has every client submitted all and heard of all? */
bool peers_content(void);
/* What clients still wait for, for a message. */
const char *peers_wants(void);
/* All end; their actors must be let run once more. */
void peers_stop(void);

#endif
