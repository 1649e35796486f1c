/* The messages, decoded and encoded. A message is one frame: a msgpack map with small unsigned
 * keys that rise; key 0 is the type, key 1 the request's number, which its reply repeats. Unknown
 * keys are skipped. Slices borrow from the frame; arrays live in the `struct message_arrays` given,
 * until the next decode into it. No allocation depends on what a peer declares.
 *
 * The groups: message_session.c, message_submit.c, message_work.c, message_ask.c,
 * message_figures.c, message_control.c, message_why.c, message_schedule.c, message_batch.c,
 * message_groups.c, message_bulk.c, message_joint.c and message_live.c, in each of which a
 * message's keys, its decoder and its encoder stand together. A new message touches three places:
 * its row in message.def (which names its decoder), its struct and the contract of its encoder
 * here, and its group. PROTOCOL.md and a vector tell it to others.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "filter.h"
#include "limit.h"
#include "message_job.h"
#include "pack.h"

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1
#define SESSION_BYTES 16

enum message_type {
    MESSAGE_NONE = 0,
#define X(number, name, sender, decoder) MESSAGE_##name = (number),
#include "message.def"
#undef X
};

enum message_role { ROLE_CLIENT = 1, ROLE_WORKER = 2 };

/* PING and SETTLE tell how many jobs a worker may hold; absent, it stays as it was. */
#define WINDOW_UNCHANGED UINT32_MAX

/* PING: slots as they were. ORDER and CONTROL: as many as the worker was started with. */
#define SLOTS_UNCHANGED UINT32_MAX
#define SLOTS_OWN (UINT32_MAX - 1)

/* Whom a CONTROL is for, and what they are to do. The numbers are the protocol's. */
enum control_target { CONTROL_ALL = 1, CONTROL_NAMED = 2, CONTROL_LABELLED = 3 };
enum control_action {
    CONTROL_RESIZE = 1,
    CONTROL_PAUSE = 2,
    CONTROL_RESUME = 3,
    CONTROL_DRAIN = 4,
    CONTROL_STOP = 5
};

/* How a worker is to leave: after what it runs, or at once. */
enum leave { LEAVE_NOT, LEAVE_DRAIN = 1, LEAVE_STOP = 2 };

/* What becomes of a feed: SET_FEED. The numbers are the protocol's. */
enum feed_action { FEED_SET = 1, FEED_REMOVE = 2 };

/* What becomes of a schedule: SET_SCHEDULE. What is 0 or empty in it is the default. */
struct schedule_request {
    enum stint_schedule_action action;
    struct slice name, cron, zone;
    uint64_t every_ms;
    enum stint_missed missed;
    uint32_t most; /* MISSED_ALL: so many at once */
    enum stint_overlap overlap;
    struct slice job; /* the bytes of its job, a map as SUBMIT has it; empty: none was given */
    uint64_t run; /* RUN: a number of the peer's, so that one that is sent again is one */
};

/* What becomes of a batch: SET_BATCH. The numbers are the protocol's. */
enum batch_action {
    BATCH_NEW = 1,
    BATCH_CHANGE = 2, /* what of it is given is as it is given from now on */
    BATCH_CLOSE = 3,
    BATCH_CANCEL = 4,
};

struct batch_request {
    enum batch_action action;
    uint64_t batch; /* its number, which the peer draws */
    struct slice title, queue; /* empty: none was given */
    uint64_t keep_ms; /* KEEP_DEFAULT: the broker's */
    struct slice success, always; /* bytes of jobs, maps as SUBMIT has them; empty: not given */
};

/* A page of a feed. */
struct feed_events {
    uint64_t first; /* number of its first event, or, if it has none, of the next one */
    uint64_t next; /* of the next event that is recorded */
    uint64_t life; /* of the feed */
};

/* How a run ended. The numbers are the protocol's. */
enum outcome_type {
    OUTCOME_SUCCEEDED = 1,
    OUTCOME_FAILED = 2, /* try again after the backoff */
    OUTCOME_DEAD = 3, /* failed for good */
    OUTCOME_SNOOZED = 4, /* run again after delay_ms; the run does not count */
    OUTCOME_RETURNED = 5, /* never started; the run does not count */
    OUTCOME_UNABLE = 6, /* this worker can't start it; another one is to try */
};

struct lease_ref {
    struct stint_id id;
    uint32_t attempt;
    uint32_t
        status; /* in CLAIMED, CONFIRMED and REVOKE: an enum stint_status, why; in SHOW: 1 or 0 */
    bool begun; /* in CLAIM: its handler was started */
};

/* How far a run is, as it says. */
struct told_progress {
    struct stint_id id;
    uint32_t attempt;
    uint32_t percent; /* STINT_NO_PERCENT: it does not say */
    struct slice text;
};

/* A piece of what a run has written on standard error. */
struct wrote {
    struct stint_id id;
    uint32_t attempt;
    uint64_t at; /* so much was written before it */
    struct slice text;
};

struct outcome {
    struct stint_id id;
    uint32_t attempt;
    enum outcome_type type;
    struct slice body; /* result, or error text */
    uint64_t delay_ms;
    struct slice extra; /* succeeded: the tail of standard error; failed: the output */
    struct slice joint; /* what becomes real with it, as message_joint_jobs takes it; or empty */
};

/* That, as it is written: jobs, each of which was written with message_put_job, and ids of jobs to
 * be cancelled. */
struct joint {
    struct slice jobs;
    const struct stint_id *ids;
    uint32_t jobs_count, ids_count;
    uint32_t flags; /* of enum joint_flag */
};

/* The numbers are the protocol's. */
enum joint_flag {
    JOINT_BEYOND = 1, /* the jobs are taken also where as many wait as may */
    JOINT_FLAGS_ALL = 1
};

/* How much that is, in all. */
struct joint_size {
    uint32_t jobs, ids;
    uint32_t links; /* others that the jobs are after */
};

/* A job as DISPATCH hands it out. */
struct dispatched_job {
    struct stint_id id;
    struct slice kind, payload;
    uint32_t attempt, max_attempts;
    uint64_t time_to_run_ms, submitted_ms;
    bool confirm; /* it was lost with a worker: STARTED is to be confirmed before it runs */
    struct slice after; /* ids of those that it was after, one behind the other; or empty */
    struct slice needs; /* canonical; or empty */
    uint64_t batch; /* as of struct job_spec */
    struct slice counts; /* of one that a batch has made: as message_read_counts takes it */
    struct slice group; /* that it is in; or empty */
};

/* One answer in SUBMITTED or SETTLED: what is inside is read with the reader kept here. */
struct answer {
    uint64_t number;
    enum stint_status status;
    uint32_t index; /* refused: which job of the message */
    struct slice detail; /* refused: a sentence */
    struct pack_reader inside; /* SUBMITTED: runs of ids; SETTLED: exceptions */
    uint32_t count; /* of what is inside */
    enum stint_met met; /* of the last run: jobs that were there already */
};

struct broker_ref {
    uint16_t number;
    struct slice endpoint;
};

struct hello {
    uint32_t version_min, version_max;
    enum message_role role;
    uint8_t session[SESSION_BYTES];
    struct slice name, software;
    uint32_t slots, window;
    uint32_t cores; /* of its machine; it takes orders if it tells them */
    uint32_t queues, prefixes, kinds, labels; /* their names are in message_arrays */
    struct slice has; /* labels and amounts, as needs_write takes them; or empty */
};

struct ping {
    uint32_t window, slots; /* slots: SLOTS_UNCHANGED: it does not say them */
    uint32_t load; /* of a worker's machine, in hundredths of a core */
    uint64_t token; /* of the last PONG read; 0: none */
};

struct control {
    enum control_action action;
    enum control_target target;
    struct slice name; /* of a worker, or a label */
    uint32_t slots; /* SLOTS_OWN */
};

/* How things are to stand, all of it. */
struct order {
    uint32_t slots; /* SLOTS_OWN */
    bool paused;
    enum leave leave;
};

struct welcome {
    uint32_t version;
    uint64_t epoch;
    uint16_t broker;
    uint32_t heartbeat_ms, lost_ms;
    uint64_t message_bytes, payload_bytes, result_bytes;
    uint64_t submission; /* last number the broker has of this session */
    uint32_t brokers; /* they are in message_arrays.brokers */
    struct slice software;
    uint64_t features; /* what the broker can do, of those that we know: feature_bit of each */
};

/* Features, which features.def lists, are bits here. */
enum {
#define X(NAME, name) FEATURE_AT_##NAME,
#include "features.def"
#undef X
    FEATURES_COUNT
};
_Static_assert(FEATURES_COUNT < 64, "features are bits of a number");
#define FEATURES_ALL ((UINT64_C(1) << FEATURES_COUNT) - 1)
/* The bit of the feature of this name; 0: there is none that we know. */
uint64_t feature_bit(struct slice name);

/* An operation on all jobs that a filter is true of. */
struct bulk_request {
    uint64_t bulk; /* its number, which the peer draws */
    enum stint_bulk_action action;
    struct slice filter; /* as filter_read takes it, and has */
    struct slice queue; /* MOVE */
    int32_t priority; /* PRIORITY; negative: none was given */
    bool dry, all;
};

/* One of them as BULKS tells it, with its filter as it came. */
struct bulk_item {
    struct stint_bulk_info info;
    struct slice filter;
};

/* What is set for the groups of a queue. */
struct group_setting {
    uint32_t running; /* UINT32_MAX: as it is */
    uint64_t rate; /* UINT64_MAX: as it is */
    uint32_t weights;
};

struct group_weight {
    struct slice name;
    uint32_t weight;
};

struct message {
    enum message_type type;
    uint64_t number;
    uint32_t count; /* elements of the main array, in the arrays */
    union {
        struct hello hello;
        struct welcome welcome;
        struct ping ping;
        struct {
            uint64_t token;
        } pong;
        struct {
            enum stint_status status;
            uint32_t about; /* type of the message that failed */
            struct slice detail, endpoint;
        } error;
        struct {
            uint64_t acked;
            struct slice jobs; /* the bytes that say what is submitted: all behind `acked` */
        } submit;
        struct {
            struct slice queue;
        } dispatch;
        struct {
            uint32_t window;
        } settle;
        struct {
            bool more;
        } claim;
        struct {
            struct slice queue; /* empty: any */
        } recall;
        struct {
            bool results;
            bool progress; /* of those that run; until they are settled */
            bool output; /* the same, what they write on standard error */
        } wait;
        struct {
            uint32_t parts; /* PART_PAYLOAD, PART_RESULT, PART_ATTEMPTS */
        } get;
        struct {
            struct slice queue, kind, cursor;
            struct slice filter; /* as filter_read takes it, and has */
            uint32_t states, limit;
        } list;
        struct {
            struct slice cursor; /* JOBS, QUEUES, WORKERS: where the next page begins; LIST_QUEUES,
                                    LIST_WORKERS: where this one does */
        } page;
        struct {
            struct slice queue; /* empty: all queues */
            uint32_t events; /* bits 1 << enum stint_event_type */
        } subscribe;
        struct stint_stats stats;
        struct control control;
        struct {
            uint32_t met; /* workers */
        } controlled;
        struct order order;
        struct change change; /* of the jobs whose ids are in message_arrays */
        struct stint_fleet fleet;
        struct {
            struct slice worker, cursor;
        } list_running;
        struct {
            struct slice queue;
            enum stint_queue_action action;
            struct stint_queue_limits limits;
            struct stint_queue_tuning tuning;
            struct group_setting groups; /* with their weights in message_arrays */
        } set_queue;
        struct stint_queue_setting queue; /* QUEUE */
        struct {
            struct slice queue; /* empty: jobs, whose ids are in the arrays */
        } why;
        struct {
            enum feed_action action;
            struct stint_feed feed; /* what is 0 in it is the broker's to choose */
        } set_feed;
        struct {
            struct slice name;
            uint64_t from; /* 0: the oldest event that is kept; FEED_FROM_NEXT: none that is */
            uint64_t life; /* that of the feed it was counted in; 0: not known */
            bool wait; /* until there is one */
        } read_feed;
        struct feed_events feed_events; /* the events are in the arrays */
        struct {
            struct slice cursor, queues; /* queues: a name, or how names begin and `*`; empty: all
                                          */
            uint32_t parts; /* bits of enum stint_figures_part */
        } list_figures;
        struct {
            struct slice queue, cursor;
            uint64_t offset;
            uint32_t limit, parts; /* PART_PAYLOAD */
        } peek;
        struct schedule_request set_schedule; /* its job's numbers are in message_arrays.specs[0] */
        struct {
            struct slice name, cursor; /* name: of one; empty: all */
            uint32_t next; /* so many ticks to come of each */
        } list_schedules;
        struct batch_request
            set_batch; /* its jobs' numbers are in message_arrays.specs[0] and [1] */
        struct {
            uint64_t batch; /* LIST_BATCHES: 0: all */
            struct slice cursor;
        } list_batches;
        struct {
            struct slice queue, cursor, name; /* name: of one; empty: all */
        } list_groups;
        struct bulk_request bulk;
        struct {
            uint64_t bulk; /* LIST_BULKS: 0: all */
            struct slice cursor;
        } list_bulks;
    };
};

#define FEED_FROM_NEXT UINT64_MAX

enum { PART_PAYLOAD = 1, PART_RESULT = 2, PART_ATTEMPTS = 4 };
enum { FIGURES_KINDS_MAX = 64, FIGURES_NUMBERS_MAX = 32 };

/* A queue's figures, and what they point to. */
struct measured {
    struct stint_figures figures;
    struct stint_kind_figures kinds[FIGURES_KINDS_MAX];
    struct stint_priority_figures priorities[256];
};

/* What a worker serves, and is. */
struct name_arrays {
    struct slice queues[LIMIT_QUEUES_SERVED], kinds[LIMIT_KINDS], labels[LIMIT_LABELS];
    struct slice prefixes[LIMIT_PREFIXES]; /* of queues' names, with a `*` behind each */
};

/* A schedule as SCHEDULES tells it, with its job as it came. */
struct schedule_item {
    struct stint_schedule_info info;
    struct slice job; /* as SET_SCHEDULE had it; empty: it was not asked for */
};

/* JOBS, OUTCOMES, QUEUES, WORKERS, RUNNING and others: what message_next_* reads. */
struct message_items {
    struct pack_reader r;
    struct schedule_item schedule; /* SCHEDULES: one at a time */
    struct stint_batch_info batch; /* BATCHES: one at a time */
    struct stint_group_info group; /* GROUPS: one at a time */
    struct group_weight group_weights[LIMIT_GROUP_WEIGHTS_SET]; /* of a SET_QUEUE */
    /* What the info or running_info points to. */
    char progress[STINT_PROGRESS_BYTES];
    struct stint_attempt attempts[LIMIT_ATTEMPTS_TOLD];
};

/* What the arrays of one message are decoded into. About 2 MiB; allocated once by whoever decodes
 * on a path that matters, reused for each message. */
struct message_arrays {
    union {
        struct job_spec specs[LIMIT_JOBS];
        struct outcome outcomes[LIMIT_JOBS];
        struct lease_ref leases[LIMIT_JOBS];
        struct told_progress told[LIMIT_JOBS];
        struct wrote wrote[LIMIT_JOBS];
        struct dispatched_job dispatched[LIMIT_JOBS];
        struct stint_id ids[LIMIT_JOBS];
        struct answer answers[LIMIT_JOBS];
        uint32_t statuses[LIMIT_JOBS];
        struct name_arrays names;
        struct broker_ref brokers[64];
        struct stint_event events[LIMIT_JOBS];
        struct stint_job_info info; /* JOBS, OUTCOMES: one at a time */
        struct stint_queue_info queue_info; /* QUEUES: one at a time */
        struct stint_worker_info worker_info;
        struct stint_running_info running_info; /* RUNNING: one at a time */
        struct stint_reason reason; /* REASONS: one at a time */
        struct stint_feed feed; /* FEEDS: one at a time */
        struct measured measured; /* FIGURES: one at a time */
        struct bulk_item bulk; /* BULKS: one at a time */
    };
    struct message_items items;
};

/* Decode one frame. On an error the message holds the type and number as far as they were read.
 * Errors: STINT_BAD_MESSAGE, STINT_UNKNOWN_TYPE, STINT_TOO_LARGE, STINT_INVALID; `*why` then is a
 * constant sentence. */
enum stint_status message_decode(const void *frame, size_t size, struct message *message,
    struct message_arrays *arrays, const char **why);

/* JOBS, OUTCOMES, QUEUES, WORKERS, RUNNING, REASONS, FEEDS, SCHEDULES, BATCHES, GROUPS and BULKS
 * are read one element at a time into the arrays: call `count` times. False if the element is
 * malformed. */
bool message_next_job(struct message_arrays *arrays);
bool message_next_queue(struct message_arrays *arrays);
bool message_next_worker(struct message_arrays *arrays);
bool message_next_running(struct message_arrays *arrays);
bool message_next_reason(struct message_arrays *arrays);
bool message_next_feed(struct message_arrays *arrays);
bool message_next_figures(struct message_arrays *arrays);
bool message_next_bulk(struct message_arrays *arrays);
bool message_next_schedule(struct message_arrays *arrays);
bool message_next_batch(struct message_arrays *arrays);
bool message_next_group(struct message_arrays *arrays);
/* The next run of ids in a SUBMITTED answer, or the next exception of a SETTLED one. */
bool message_next_run(struct answer *answer, struct stint_id *first, uint32_t *count);
bool message_next_exception(struct answer *answer, uint32_t *index, enum stint_status *status);

/* May this role send this type? */
bool message_allowed(enum message_type type, enum message_role role);
const char *message_name(enum message_type type);

/* Is it UTF-8 as RFC 3629 has it? */
bool text_is_utf8(struct slice text);

/* The first, or last, of a text that may be too long: at most so many bytes, and no character of
 * UTF-8 is cut in two. Of other bytes up to three more are left out. */
struct slice text_head(struct slice text, size_t most);
struct slice text_tail(struct slice text, size_t most);

/* Is it the name of a group: 1 to LIMIT_GROUP_BYTES of UTF-8 without a zero? */
bool group_is_valid(struct slice name);

/* Is it 1 to LIMIT_NAME_BYTES of A-Z a-z 0-9 . _ -, beginning with a letter or digit? */
bool name_is_valid(struct slice name);

/* Encoders append one message to a buffer. A `window` may be WINDOW_UNCHANGED. */
/* In `queues` the prefixes stand behind the names. */
void message_put_hello(struct pack_buffer *b, const struct hello *hello, const struct slice *queues,
    const struct slice *kinds, const struct slice *labels);
void message_put_welcome(
    struct pack_buffer *b, const struct welcome *welcome, const struct broker_ref *brokers);
void message_put_ping(struct pack_buffer *b, uint64_t number, uint32_t window, uint64_t token);
/* A worker's, which tells its slots and load. */
void message_put_worker_ping(struct pack_buffer *b, uint64_t number, const struct ping *ping);
void message_put_pong(struct pack_buffer *b, uint64_t number, uint64_t token);
void message_put_numbered(struct pack_buffer *b, enum message_type type, uint64_t number);
void message_put_error(struct pack_buffer *b, enum message_type about, uint64_t number,
    enum stint_status status, const char *detail, const char *endpoint);
void message_put_submit(struct pack_buffer *b, uint64_t number, uint64_t acked,
    const struct job_spec *jobs, uint32_t count);
/* What a job is after: how many there are, and then each of them. The bytes are msgpack's, which
 * the decoder has seen to be good. */
uint32_t message_open_after(struct slice after, struct pack_reader *r);
struct after_ref message_next_after(struct pack_reader *r);
/* The same SUBMIT, which message_put_submit wrote, under another number. */
void message_put_submit_again(
    struct pack_buffer *b, struct slice frame, uint64_t number, uint64_t acked);
void message_put_settle(struct pack_buffer *b, uint64_t number, const struct outcome *outcomes,
    uint32_t count, uint32_t window);
void message_put_leases(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct lease_ref *leases, uint32_t count, bool more);
void message_put_progress(struct pack_buffer *b, const struct told_progress *told, uint32_t count);
/* Of this queue; empty: of any. */
void message_put_recall(struct pack_buffer *b, uint32_t count, struct slice queue);
void message_put_change(struct pack_buffer *b, uint64_t number, const struct stint_id *ids,
    uint32_t count, const struct change *change);
/* CANCEL, RETRY, DELETE; GET, whose option is the parts; WAIT, whose option is bits of these. */
enum wait_option { WAIT_RESULTS = 1, WAIT_PROGRESS = 2, WAIT_OUTPUT = 4 };
void message_put_ids(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct stint_id *ids, uint32_t count, uint32_t option);
/* LIST_QUEUES, LIST_WORKERS: an empty cursor begins at the beginning. */
void message_put_page(
    struct pack_buffer *b, enum message_type type, uint64_t number, struct slice cursor);
void message_put_list(struct pack_buffer *b, uint64_t number, const struct message *list);
void message_put_subscribe(struct pack_buffer *b, uint64_t number, struct slice queue,
    uint32_t events, const struct stint_id *ids, uint32_t count);
void message_put_stats(struct pack_buffer *b, uint64_t number, const struct stint_stats *stats);
void message_put_answers(
    struct pack_buffer *b, uint64_t number, const uint32_t *statuses, uint32_t count);

/* Messages that are a list of `count` elements, each of which was written with one of the functions
 * below. Without a number: SUBMITTED, SETTLED, OUTCOMES. */
void message_put_elements(
    struct pack_buffer *b, enum message_type type, struct slice elements, uint32_t count);
/* With a number: JOBS, QUEUES, WORKERS, EVENTS. An empty cursor: there is no next page. */
void message_put_numbered_elements(struct pack_buffer *b, enum message_type type, uint64_t number,
    struct slice elements, uint32_t count, struct slice cursor);

/* A DISPATCH whose jobs follow, each with message_put_dispatched; a SETTLED's answer whose
 * exceptions follow. Then close the array that is returned with pack_close_array. */
size_t message_open_dispatch(struct pack_buffer *b, struct slice queue);
size_t message_open_settled(struct pack_buffer *b, uint64_t number);
void message_put_exception(struct pack_buffer *b, uint32_t index, enum stint_status status);
/* A SUBMITTED's answer: accepted, with an array of runs behind it, or refused. */
void message_put_accepted(struct pack_buffer *b, uint64_t number);
void message_put_run(struct pack_buffer *b, const struct stint_id *first, uint32_t count);
/* The same, of jobs that were there already: their unique keys were met. */
void message_put_run_met(
    struct pack_buffer *b, const struct stint_id *first, uint32_t count, enum stint_met met);
void message_put_refused(struct pack_buffer *b, uint64_t number, enum stint_status status,
    uint64_t index, struct slice detail);

/* Parts of larger messages, which the broker writes as it finds them. */
void message_put_dispatched(struct pack_buffer *b, const struct dispatched_job *job);
void message_put_job_info(struct pack_buffer *b, const struct stint_job_info *info);
void message_put_queue_info(struct pack_buffer *b, const struct stint_queue_info *info);
void message_put_worker_info(struct pack_buffer *b, const struct stint_worker_info *info);
void message_put_event(struct pack_buffer *b, const struct stint_event *event);
void message_put_running_info(struct pack_buffer *b, const struct stint_running_info *info);

void message_put_control(struct pack_buffer *b, uint64_t number, const struct control *control);
void message_put_controlled(struct pack_buffer *b, uint64_t number, uint32_t met);
void message_put_order(struct pack_buffer *b, const struct order *order);
/* SET_FLEET, of which only the slots count, and FLEET. */
void message_put_fleet(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct stint_fleet *fleet);
void message_put_list_running(
    struct pack_buffer *b, uint64_t number, struct slice worker, struct slice cursor);
/* Of a queue, or, if that is empty, of jobs. */
void message_put_why(struct pack_buffer *b, uint64_t number, struct slice queue,
    const struct stint_id *ids, uint32_t count);
void message_put_reason(struct pack_buffer *b, const struct stint_reason *reason);
void message_put_set_feed(
    struct pack_buffer *b, uint64_t number, enum feed_action action, const struct stint_feed *feed);
void message_put_feed(struct pack_buffer *b, const struct stint_feed *feed);
void message_put_read_feed(struct pack_buffer *b, uint64_t number, struct slice name, uint64_t from,
    uint64_t life, bool wait);
/* `count` events, each of which was written with message_put_event. */
void message_put_feed_events(struct pack_buffer *b, uint64_t number, struct slice events,
    uint32_t count, const struct feed_events *page);
/* Of the queue of this name, or of those whose names begin so, if a `*` is at its end. */
void message_put_list_figures(struct pack_buffer *b, uint64_t number, struct slice queues,
    uint32_t parts, struct slice cursor);
void message_put_figures(struct pack_buffer *b, const struct stint_figures *figures);
void message_put_peek(struct pack_buffer *b, uint64_t number, const struct message *peek);
/* `limits` of STINT_LIMIT_QUEUE alone; else NULL. */
void message_put_set_queue(struct pack_buffer *b, uint64_t number, struct slice queue,
    enum stint_queue_action action, const struct stint_queue_limits *limits);
void message_put_tune_queue(struct pack_buffer *b, uint64_t number, struct slice queue,
    const struct stint_queue_tuning *tuning);
void message_put_group_setting(struct pack_buffer *b, uint64_t number, struct slice queue,
    const struct group_setting *groups, const struct group_weight *weights);
void
message_put_queue(struct pack_buffer *b, uint64_t number, const struct stint_queue_setting *queue);
/* Of the groups of a queue one, or, if the name is empty, all. */
void message_put_list_groups(struct pack_buffer *b, uint64_t number, struct slice queue,
    struct slice name, struct slice cursor);
void message_put_group_info(struct pack_buffer *b, const struct stint_group_info *info);

void message_put_set_schedule(
    struct pack_buffer *b, uint64_t number, const struct schedule_request *request);
void message_put_list_schedules(
    struct pack_buffer *b, uint64_t number, struct slice name, uint32_t next, struct slice cursor);
void message_put_schedule(struct pack_buffer *b, const struct schedule_item *item);
/* A job alone, as a schedule keeps it; and its bytes read. False: they are none. */
void message_put_job(struct pack_buffer *b, const struct job_spec *job);
bool message_read_job(struct slice bytes, struct job_spec *job);

void message_put_joint(struct pack_buffer *b, const struct joint *joint);
/* WROTE and OUTPUT. */
void message_put_wrote(
    struct pack_buffer *b, enum message_type type, const struct wrote *pieces, uint32_t count);
/* Are these bytes that, and how much? If not, `*why` is a constant sentence. */
bool message_joint_check(struct slice bytes, struct joint_size *size, const char **why);
/* Its jobs, its ids, of each at most LIMIT_JOBS, and its flags; the bytes are good. */
uint32_t message_joint_jobs(struct slice joint, struct job_spec *specs);
uint32_t message_joint_ids(struct slice joint, struct stint_id *ids);
uint64_t message_joint_flags(struct slice joint);
void
message_put_set_batch(struct pack_buffer *b, uint64_t number, const struct batch_request *request);
/* LIST_BATCHES, WAIT_BATCH. 0: all. */
void message_put_list_batches(struct pack_buffer *b, enum message_type type, uint64_t number,
    uint64_t batch, struct slice cursor);
void message_put_batch_info(struct pack_buffer *b, const struct stint_batch_info *info);
/* How many jobs a batch has, and how they ended, alone: [jobs, succeeded, dead, cancelled,
 * expired]. False: it is no such thing. */
void message_put_counts(struct pack_buffer *b, const struct stint_batch_counts *counts);
bool message_read_counts(struct slice bytes, struct stint_batch_counts *counts);

void message_put_bulk(struct pack_buffer *b, uint64_t number, const struct bulk_request *bulk);
/* LIST_BULKS, STOP_BULK. 0: all. */
void message_put_list_bulks(struct pack_buffer *b, enum message_type type, uint64_t number,
    uint64_t bulk, struct slice cursor);
void message_put_bulk_info(struct pack_buffer *b, const struct bulk_item *item);

#endif
