/* What the oracle's files share: oracle_frames.c, which reads what came and went, oracle_lives.c,
 * which knows what may become of a job, oracle_clock.c, and oracle.c, which reads the store and
 * judges. */
#ifndef ORACLE_INSIDE_H
#define ORACLE_INSIDE_H

#include "ids.h"
#include "oracle.h"
#include "record.h"

/* A session that said HELLO, as far as the frames show. */
struct party {
    uint8_t session[SESSION_BYTES];
    enum message_role role;
    const struct grant *key; /* it came with; NULL: none. Borrowed */
    char name[STINT_LABEL_BYTES];
    uint64_t seen_us, greeted_us; /* its last frame, and its HELLO, were taken then */
    uint32_t window;
    bool barred; /* it was told that it is paused, or to leave */
    char kinds[256]; /* that it handles, each between two spaces; "": all */
    char queues[256]; /* that it serves, likewise, */
    char prefixes[256]; /* and by which prefixes of their names */
    char has[LIMIT_HAS_BYTES + 1]; /* labels and amounts */
    bool left, claimed; /* said BYE, ended a CLAIM: in this batch */
    bool welcomed; /* its last HELLO was answered so, */
    bool denied; /* or one that came with it was not: what it serves is not known then */
    /* Its last LIST of all queues, or SUBSCRIBE to all, which may not be denied; 0: none. */
    uint64_t asks_all;
    bool asks_whole; /* that is a LIST, of all jobs, from the beginning */
    UT_hash_handle hh;
};

struct heard_outcome {
    struct stint_id id;
    uint32_t attempt;
    enum outcome_type type;
    uint64_t delay_ms, number;
    uint32_t index;
    struct party *from;
    bool denied; /* its key does not let it: its answer has to say so */
    bool brings, brings_denied; /* something comes with it; which its key does not let */
    bool brings_doubtful; /* that is after other jobs, which may be gone */
};

struct heard_claim { /* or STARTED */
    struct stint_id id;
    uint32_t attempt;
    struct party *from;
    bool begun;
};

struct heard_change {
    struct stint_id id;
    uint32_t set; /* enum change_bit; the simulator's people change no payload and no limit */
    uint64_t delay_ms;
    unsigned queue; /* which of keys_queues */
    uint8_t priority;
};

struct sent_dispatch {
    struct stint_id id;
    uint32_t attempt;
    struct party *to;
    size_t payload_bytes;
    uint32_t job;
    uint64_t limit_ms;
    bool confirm;
};

#define LIST_OF(type) \
    struct { \
        type *all; \
        size_t count, size; \
    }

/* All that came in with a batch and went out after it. */
struct traffic {
    LIST_OF(struct heard_outcome) outcomes;
    LIST_OF(struct heard_claim) claims;
    LIST_OF(struct heard_claim) started;
    LIST_OF(struct stint_id) cancels;
    LIST_OF(struct stint_id) retries;
    LIST_OF(struct stint_id) deletes;
    LIST_OF(struct heard_change) changes;
    LIST_OF(uint32_t) submits; /* numbers of jobs */
    LIST_OF(struct sent_dispatch) dispatches;
    LIST_OF(uint32_t) unlisted; /* jobs that were there and were not in a list of all */
    LIST_OF(struct heard_outcome) confirmed; /* outcomes whose SETTLED took no exception to them */
};

#define LIST_ADD(list, ...) \
    do { \
        if ((list).count == (list).size) { \
            (list).size = (list).size ? 2 * (list).size : 64; \
            (list).all = realloc((list).all, (list).size * sizeof *(list).all); \
            if (!(list).all) \
                abort(); \
        } \
        (list).all[(list).count++] = (__VA_ARGS__); \
    } while (0)

enum told { ANSWER_NONE, ANSWER_STORED, ANSWER_REFUSED, ANSWER_UNKNOWN, ANSWER_MET };

/* What is known of a job at a moment. The state is STINT_UNKNOWN before it was stored, and when it
 * is gone again. */
struct life {
    enum stint_state state;
    uint32_t attempt, failures;
    enum record_last last;
    bool suspect; /* it was lost with a worker, and no run has ended since */
    struct party *holder; /* running: who has the lease; NULL: nobody yet, after a restart */
    bool begun; /* running: the broker was told that it has begun */
};

enum { REFUSED_MAX = 8 };

struct job {
    struct wish wish;
    enum told answer;
    struct stint_id told; /* by the broker to the client */
    struct stint_id id; /* in the store, once seen there */
    struct stint_id key, now_key; /* where it stands */
    unsigned queue, now_queue; /* which of keys_queues */
    uint32_t moving; /* bits of the queues to which it is to be moved, as was heard in this batch */
    bool stored; /* was ever seen in the store */
    struct life was, now;
    uint64_t due_ms, expires_ms; /* as of `was`, and so are key and queue */
    uint64_t now_due_ms, now_expires_ms;
    uint64_t stamp_ms; /* the latest time that its record has */
    uint64_t now_total_ms, now_spent_ms; /* as its record has them */
    bool now_spent; /* that is used up */
    uint64_t took_us, runs; /* in workers, since it was submitted or retried */
    uint64_t start_by_ms, now_start_by_ms; /* it expires if it has not begun then; 0: it does not */
    uint32_t now_after; /* blocked: for how many others it waits, by its record */
    bool was_holds, now_holds; /* scheduled: it keeps its group's place, by its record */
    unsigned ended; /* bits of those that it is after which were over, since it is there */
    uint64_t wished_us; /* before it was submitted */
    uint64_t over_us; /* it was seen to be over; 0: it is not */
    uint64_t dispatched_us;
    uint64_t next_since_us; /* nothing holds it up, as the broker has said since then; 0: else */
    bool confirm; /* its last worker was told to ask before it begins */
    uint32_t begun_attempt; /* the last one that a worker has begun to run, and */
    const char *begun_by; /* which; NULL: none */
    const struct party
        *refused[REFUSED_MAX]; /* who said that it can't start it, since it last ran */
    unsigned refused_count;
    bool was_refused; /* by anybody, since it last ran; a change may have made good for that */
    uint32_t been; /* bits of the settled states it was in, ever */
    uint32_t passed; /* the same, of those it may have passed through within a step */
    uint32_t succeeded_attempt;
    uint32_t seen_attempts; /* the highest attempt that was seen on disk */
    unsigned scan; /* it was seen in this scan */
    bool brought; /* a run has asked for it, to come with its end: */
    uint32_t brought_attempt; /* that one */
    UT_hash_handle hh; /* by id */
};

/* All that is known. */
extern struct known {
    struct job *jobs;
    uint32_t count;
    struct core_options options;
    uint64_t wall_ms, wall_us; /* the latest that the broker's time can be */
    uint64_t restarted_us;
    uint64_t stamp_ms; /* the latest that was written since: the broker's time is no earlier now */
    uint64_t dispatched_us; /* anything was */
    uint64_t totals[STINT_COUNTS]; /* as the broker told them last */
} known;

/* The job of this id; NULL: there never was one. */
const struct job *job_known(const struct stint_id *id);
/* It may be moved to this queue, in this batch. */
void job_may_move(const struct stint_id *id, unsigned queue);
/* A job's number and id, for a message; in a static buffer. */
const char *job_named(const struct job *j);

/* oracle_lives.c: can what came and went explain what became of it? Then its holder is known, too.
 * If not, that is a broken promise. */
void life_explain(struct job *j, bool was_there);
/* Is it, on disk, what it was before the step? */
bool life_is_unchanged(const struct job *j);
void life_tell(const struct job *j, const char *what, const struct life *l);

/* oracle_rights.c: what does not come of a key's rights. */

/* May who came with it do one of these to the job of this id? NULL may do everything. Of a job
 * that is not known yet, it is not known to be denied. */
bool rights_let(const struct grant *key, uint32_t rights, const struct stint_id *id);
/* It asks for all jobs, or for all that happens. */
void rights_hear(struct party *from, const struct message *m);
/* Does a list of all lack a job that was there before it and is there after it? */
void rights_check_lists(void);
/* Does this message tell it of a queue that it may not know of? That is a broken promise. */
void
rights_check_told(const struct party *to, const struct message *m, struct message_arrays *arrays);

/* oracle_queues.c: what people set for queues, what the broker says to it, and what is on disk. */
void queues_begin(void);
/* A batch comes. */
void queues_batch(void);
void queues_hear(uint32_t peer, const struct grant *key, const struct message *m,
    const struct message_arrays *arrays);
void queues_told(uint32_t peer, const struct message *m);
/* Something of this queue was handed out: may it be? */
void queues_check_dispatch(struct slice queue, uint32_t jobs);
/* At the end of a step: is no more handed out than limits let? */
void queues_check_limits(void);
/* And does no queue hold more than may wait there, unless somebody pressed? */
void queues_check_backlogs(void);
/* A job was stored, or moved to its queue, in this batch: did that take any? */
/* Is the job of key `a` handed out before that of `b`, which stands in the same queue? False where
 * the order has changed in this batch. `apart`: one of a priority has no place among the others. */
bool queues_prefer(unsigned queue, const struct stint_id *a, const struct stint_id *b, bool apart);
void queues_check_new(const struct job *j);
/* What is set for its groups; changed: in this batch, or it is not known. */
struct group_settings {
    uint32_t running;
    uint64_t rate;
    bool changed;
};
struct group_settings groups_settings(unsigned queue);
/* Is `a` more urgent, or as urgent and older? False where that has changed in this batch. */
bool groups_prefer(unsigned queue, const struct stint_id *a, const struct stint_id *b);
/* oracle_groups.c: what is on disk of groups, and what was handed out of them. */
enum { GROUPS_NAMES = 3 };
extern const char *const groups_names[GROUPS_NAMES];
void groups_begin(void);
void groups_start(void);
void groups_read(struct job *j, const struct record *r);
void groups_check_dispatch(const struct job *j);
void groups_check(void);
void groups_remember(struct job *j);
/* oracle_total.c */
void total_read(struct job *j, const struct record *r);
void total_check(struct job *j);
/* UINT64_MAX: it has no such limit. */
uint64_t total_left_ms(const struct job *j);
/* Of jobs that are new, no more wait than may. */
void queues_check_backlogs(void);
/* How many jobs may wait in it, all through this batch; 0: any number, or that was set in it. */
uint64_t queues_backlog_max(unsigned queue);
/* May a success in this batch of a job there that says nothing be forgotten, or kept? */
void queues_keep(unsigned queue, bool *forgets, bool *keeps);
/* The least time limit that jobs there which wish none ever had; 0: there was none. */
uint64_t queues_least_limit(unsigned queue);
/* A job that wishes that limit, and has so much left of the time of all runs, was handed out with
 * this one. */
void queues_check_limit(unsigned queue, uint64_t wished_ms, uint64_t left_ms, uint64_t given_ms);
/* Was it paused in this step? */
enum queue_pause { PAUSE_NOT, PAUSE_PARTLY, PAUSE_ALL_ALONG };
enum queue_pause queues_pause(unsigned queue);
/* Is on disk what was confirmed? Where a commit failed, it is what is on disk. */
void queues_check_store(struct store *s, bool in_doubt);

/* oracle_expires.c: what is on disk of when jobs expire, and is it true? */
void expires_read(struct job *j, const struct record *r);
void expires_check(const struct job *j);
/* It was handed out: may it be? */
void expires_check_dispatch(const struct job *j);

/* oracle_after.c: jobs that wait for others. What is on disk of it; is it true? After a step. */
void after_read(struct job *j, const struct record *r);
void after_check(const struct job *j);
void after_remember(struct job *j);
/* May all have ended so that it runs? May one have ended so that it does not? By the end of this
 * step. */
bool after_may_run(const struct job *j);
bool after_may_fail(const struct job *j);
/* oracle_needs.c: what jobs need of workers. A worker says what it has; its labels are apart. */
void needs_hear(struct party *p, const struct hello *h, const struct slice *labels);
void needs_read(const struct job *j, const struct record *r);
/* Has it all, and enough, if it held nothing else? */
bool needs_could(const struct party *p, const struct job *j);
/* At the end of a step: of what was dispatched, and all that workers hold. */
void needs_check(void);
bool needs_same(const struct job *a, const struct job *b);
/* Is a worker of its queue and kind connected, as frames_served has it, that could run it? */
bool frames_could(const struct job *j);


/* oracle_schedules.c: schedules and their jobs, which are none of those that clients wish. */
void schedules_begin(void);
void schedules_batch(const struct batch *batch);
void schedules_hear(const struct message *m);
/* Before the jobs of the store are read, and for each that names a schedule. */
void schedules_forget_jobs(void);
void schedules_count_job(const struct record *r);
/* So many are there. */
uint64_t schedules_jobs(void);
/* When they have been counted; after a step, or after a start. */
void schedules_check(struct store *s, bool stepped);

/* oracle_batches.c: batches, and the jobs that they make, which are none of those that clients
 * wish.
 */
void batches_begin(void);
void batches_batch(const struct batch *batch);
void batches_hear(const struct message *m);
/* Before the jobs of the store are read; is it one that a batch has made? If not, is it in the
 * batch that it was put into? */
void batches_forget_jobs(void);
bool batches_count_job(const struct record *r);
void batches_read_job(const struct job *j, const struct record *r);
/* So many that batches have made are there. */
uint64_t batches_jobs(void);
/* Those of one that is cancelled are cancelled as if that were heard of each. */
void batches_command(void);
/* When it is known what became of all jobs, after a step or a start. */
void batches_check(struct store *s);
/* Is every one that is closed over, and owes nothing? */
bool batches_all_over(void);

/* oracle_feed.c: what the feed says that the follower has made. */
void feed_begin(void);
/* When the store has been read, and nothing of it remembered yet. */
void feed_check_store(struct store *s);
/* oracle_totals.c: is what is counted true? After a restart nothing of it may be lost. */
void totals_check(struct core *core, bool restarted);
/* oracle_joint.c: what comes with the ends of runs. */
void joint_begin(void);
/* Such an outcome is heard. False: its key does not let who tells it ask for that. */
bool joint_hear(const struct grant *key, const struct outcome *o);
bool joint_is_doubtful(const struct outcome *o);
/* Was any, in this batch? */
bool joint_heard(void);
/* Does it come however many wait? */
bool joint_presses(const struct job *j);
/* When it is known what has become of all jobs in the step. */
void joint_check(void);
/* oracle_bulks.c: operations on many jobs. */
void bulks_begin(void);
/* A batch comes. */
void bulks_batch(void);
void bulks_hear(const struct party *from, const struct message *m);
/* BULKS were sent. */
void bulks_told(const struct party *to, const struct message *m, struct message_arrays *arrays);
/* Jobs of which one goes on may be moved by it in this step; */
void bulks_may_move(void);
/* and what else it may do to them is as if it were heard for each of them. When the store is read.
 */
void bulks_command(void);
/* How they stand after the step. */
void bulks_read(struct store *s);
bool bulks_all_ended(void);

/* oracle_why.c: what the broker says of why jobs wait. */
void why_clear(void);
/* REASONS were sent, */
void why_told(struct message_arrays *arrays, uint32_t count);
/* and are they true? When it is known what became of all jobs in the step. */
void why_judge(struct core *core);
/* Is the job what it was before the step, and was nothing else within it? */
bool job_is_unchanged(const struct job *j);

/* Is a worker of its queue connected and not silent, since before this batch; of its kind, if that
 * counts? */
bool frames_served(const struct job *j, bool of_its_kind);

/* oracle_clock.c: known.wall_ms is the latest that the broker's time can be in this batch. */
void clock_begin(void);
void clock_follow(const struct batch *batch);
void clock_committed(void);
void clock_failed(void);

/* oracle_frames.c */
extern struct traffic traffic;

void frames_begin(void);
void frames_end(void);
/* Forget the traffic of the last batch. */
void frames_clear(void);
/* The broker has restarted: nobody is connected. */
void frames_restart(void);
void frames_in(const struct batch *batch);
void frames_out(const struct outbox *out);

/* Since when it is over, if it is. */
void unique_remember(struct job *job);
/* No two jobs have the same unique key. */
void unique_check(void);

/* What its record says of its wishes: is it that? */
static inline void
wished_read(struct job *j, const struct record *r)
{
    expires_read(j, r);
    after_read(j, r);
    total_read(j, r);
    needs_read(j, r);
    groups_read(j, r);
    batches_read_job(j, r);
}

#endif
