// SPDX-License-Identifier: MIT
// TCP echo, discard and chargen: small, and a hard judge of flow control. A connection's struct is
// its argument; nothing here sleeps, what does not fit waits in TCP's own buffers.
#include "net/stack.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "net/tcp/tcp.h"

#define PORT_ECHO    7
#define PORT_DISCARD 9
#define PORT_CHARGEN 19
#define CHUNK        1024u
#define LINE_FIRST   32 // chargen: printable ASCII, 72 of them a line, each line one further
#define LINE_GLYPHS  95
#define LINE_CHARS   72u

struct service {
    void (*work)(struct service *s, struct tcp_conn *c);
    uint32_t position; // chargen: bytes made so far
    size_t held;       // echo: bytes read and not yet taken by tcp_send, at the start of chunk
    bool ended;        // the peer's FIN was read
    uint8_t chunk[CHUNK];
};

static void service_end(struct service *s, struct tcp_conn *c)
{
    tcp_close(c);
    heap_free(s);
}

// Sends what is held; false: the send buffer is full, TCP_WRITABLE will call again.
static bool echo_flush(struct service *s, struct tcp_conn *c)
{
    if (s->held == 0)
        return true;
    long taken = tcp_send(c, s->chunk, s->held);
    if (taken <= 0)
        return false;
    s->held -= (size_t)taken;
    memmove(s->chunk, s->chunk + taken, s->held);
    return s->held == 0;
}

// Reads only what it can send: an unread peer fills the send buffer, then the receive buffer, then
// closes the window. Nothing grows.
static void echo_work(struct service *s, struct tcp_conn *c)
{
    while (echo_flush(s, c)) {
        long n = tcp_receive(c, s->chunk, CHUNK);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            service_end(s, c);
            return;
        }
        s->held = (size_t)n;
    }
}

static void discard_work(struct service *s, struct tcp_conn *c)
{
    long n;
    do {
        n = tcp_receive(c, s->chunk, CHUNK);
    } while (n > 0);
    if (n != -EAGAIN)
        service_end(s, c);
}

static uint8_t chargen_byte(uint32_t position)
{
    uint32_t line = position / (LINE_CHARS + 2), column = position % (LINE_CHARS + 2);
    if (column >= LINE_CHARS)
        return column == LINE_CHARS ? '\r' : '\n';
    return (uint8_t)(LINE_FIRST + (line + column) % LINE_GLYPHS);
}

static void chargen_work(struct service *s, struct tcp_conn *c)
{
    long n;
    do {
        n = tcp_receive(c, s->chunk, CHUNK); // what the peer says is thrown away
    } while (n > 0);
    if (n != -EAGAIN) {
        service_end(s, c);
        return;
    }
    do {
        for (unsigned i = 0; i < CHUNK; i++)
            s->chunk[i] = chargen_byte(s->position + i);
        n = tcp_send(c, s->chunk, CHUNK);
        if (n > 0)
            s->position = (s->position + (uint32_t)n) % ((LINE_CHARS + 2) * LINE_GLYPHS);
    } while (n == CHUNK);
}

static void service_event(void *arg, struct tcp_conn *c, unsigned events)
{
    struct service *s = arg;
    if (events & TCP_FAILED)
        service_end(s, c);
    else if (events & (TCP_READABLE | TCP_WRITABLE))
        s->work(s, c);
}

static void service_accept(struct tcp_conn *c, void (*work)(struct service *, struct tcp_conn *))
{
    struct service *s = heap_zalloc(sizeof(*s));
    if (!s) {
        tcp_abort(c);
        return;
    }
    s->work = work;
    tcp_set_events(c, service_event, s);
    if (work == chargen_work) // the only one that speaks first
        work(s, c);
}

static void echo_accept(void *arg, struct tcp_conn *c)
{
    (void)arg;
    service_accept(c, echo_work);
}

static void discard_accept(void *arg, struct tcp_conn *c)
{
    (void)arg;
    service_accept(c, discard_work);
}

static void chargen_accept(void *arg, struct tcp_conn *c)
{
    (void)arg;
    service_accept(c, chargen_work);
}

int net_services_start(void)
{
    bool up = tcp_listen(PORT_ECHO, 0, echo_accept, NULL) &&
              tcp_listen(PORT_DISCARD, 0, discard_accept, NULL) &&
              tcp_listen(PORT_CHARGEN, 0, chargen_accept, NULL);
    return up ? 0 : -ENOMEM;
}
