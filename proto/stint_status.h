/* The status codes of stint: one table makes the enum, the names and the texts, so that the wire,
 * the C library and the command line say the same. Public header.
 */
#ifndef STINT_STATUS_H
#define STINT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STINT_EXPORT __attribute__((visibility("default")))
#else
#define STINT_EXPORT
#endif

/* X(code, NAME, text, hint). Codes below 64 cross the wire and never change their meaning; codes
 * from 64 on are made by the library on this side. To add one: append it to its half, describe it
 * in PROTOCOL.md if it crosses the wire (a test compares the two).
 */
#define STINT_STATUS_MAP(X) \
    X(0, OK, "done", "") \
    X(1, BAD_MESSAGE, "the message is malformed", "compare it with PROTOCOL.md") \
    X(2, UNKNOWN_TYPE, "the message type is unknown", "the peer may be newer than the broker") \
    X(3, VERSION_MISMATCH, "no protocol version in common", "upgrade the older side") \
    X(4, HELLO_FIRST, "the connection has not said HELLO", "say HELLO and send it again") \
    X(5, TOO_LARGE, "a size limit was met", "make it smaller, or raise the broker's limit") \
    X(6, INVALID, "a field is out of its range", "the detail names the field and the range") \
    X(7, BAD_NAME, "the name is not allowed", \
        "use 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a letter or digit") \
    X(8, NO_SUCH_JOB, "there is no such job", "its retention may have ended; see stint ls") \
    X(9, NO_SUCH_QUEUE, "there is no such queue", "see stint queues") \
    X(10, STALE, "the attempt is no longer the current one", "the job was taken back; drop it") \
    X(11, STORE_FULL, "the store is full", \
        "free disk space, or raise --store-size; settles still go through") \
    X(12, QUEUE_FULL, "the queue's backlog limit was met", "try again later, or raise the limit") \
    X(13, BACKLOG_FULL, "the broker's backlog limit was met", \
        "try again later, or raise --backlog-max") \
    X(14, TOO_MANY, "a count limit was met", "the detail names the limit") \
    X(15, OUT_OF_ORDER, "a submission number was skipped", "send again from the number given") \
    X(16, CONFLICT, "the submission number was used for other jobs", \
        "a resent submission must be the same bytes") \
    X(17, SESSION_UNKNOWN, "the broker has forgotten this session", \
        "whether the submission arrived is unknown: look for the jobs before sending again") \
    X(18, WRONG_STATE, "the job's state does not allow this", "see stint show") \
    X(19, MOVED, "another broker owns this", "follow the endpoint in the answer") \
    X(20, DENIED, "not allowed", "ask for the right, or use another key") \
    X(21, CLOSING, "the broker is closing", "try again when it is back") \
    X(22, DAMAGED, "the stored record is damaged", "it was set aside; see the broker's log") \
    X(23, QUEUE_CLOSED, "the queue is closed", "try again later, or open it: stint queue open") \
    X(24, NOT_EMPTY, "the queue is not empty", "see stint queues") \
    X(25, UNIQUE_HELD, "another job holds its unique key", \
        "see stint ls --where unique=KEY; wait for that one, or cancel it") \
    X(30, NO_SUCH_FEED, "there is no such feed", "see stint feed ls") \
    X(31, NO_SUCH_SCHEDULE, "there is no such schedule", "see stint schedule ls") \
    X(34, NO_SUCH_BATCH, "there is no such batch", "see stint batch ls") \
    X(35, BATCH_OVER, "the batch is over", "all its jobs have ended, or it was cancelled") \
    X(36, TOO_VARIED, "the jobs of the queue need too many different things", \
        "try again when some of them are gone, or use another queue") \
    X(64, TIMEOUT, "the deadline passed", "the broker may be busy or away; try again") \
    X(65, UNREACHABLE, "the broker can't be reached", \
        "is stintd running, and is the endpoint right (--endpoint, STINT_ENDPOINT)?") \
    X(66, UNKNOWN_OUTCOME, "whether it was done is unknown", "look before you do it again") \
    X(67, BAD_ENDPOINT, "the endpoint can't be used", "write tcp://host:port or ipc://path") \
    X(68, NO_MEMORY, "out of memory", "") \
    X(69, SYSTEM, "a system call failed", "") \
    X(70, CANCELLED, "it was cancelled", "") \
    X(71, IO, "the store could not be written or read", "the broker stops; look at its disk") \
    X(72, CLOSED, "it is closed", "") \
    X(73, IN_CALLBACK, "a call that waits was made from a callback", \
        "make it when the call that called back has returned") \
    X(74, UNSUPPORTED, "the broker is too old for this", "upgrade the broker") \
    X(75, BAD_KEY, "a key can't be used", "see stint key, and KEYS in stint(1)") \
    X(76, IN_USE, "another broker uses it", "stop that one, or ask it by its endpoint")

#define STINT_STATUS_ENUM(code, name, text, hint) STINT_##name = (code),
enum stint_status { STINT_STATUS_MAP(STINT_STATUS_ENUM) };
#undef STINT_STATUS_ENUM

/* The name of a status as the wire documents and the JSON output write it, such as "NO_SUCH_JOB";
 * "UNKNOWN" for a code that this version does not know. A constant string; any thread. */
STINT_EXPORT const char *stint_status_name(enum stint_status status);

/* One sentence without a full stop that says what happened. A constant string; any thread. */
STINT_EXPORT const char *stint_status_text(enum stint_status status);

/* One sentence that says what to do, or "". A constant string; any thread. */
STINT_EXPORT const char *stint_status_hint(enum stint_status status);

#ifdef __cplusplus
}
#endif
#endif
