/* Telling the service manager how we are (sd_notify(3)), without its library: a datagram. */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Send `state`, such as "READY=1"; does nothing where there is no service manager. */
void notify(const char *state);

/* Tell its watchdog, if it has one for us, that we are alive. Call it once a second. */
void notify_alive(void);

/* For a process that is not the service's own: from now on neither it nor what it starts says
 * anything. Before there are threads. */
void notify_forget(void);

#endif
