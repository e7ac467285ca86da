// SPDX-License-Identifier: MIT
// Memory is short (PROTOCOLS 5): first go clean pages, which their provider can give again; then
// pages that only this node has are pushed to the member with most memory left, which has said how
// many it takes. Their containers stay here, users, home and all: a fault fetches such a page as it
// does any other's. Pages go in turn, without regard to when they were used. Who is asked keeps a
// quarter of its memory for itself, and gives the pages back when it is short. It is like any owner
// of a page: with its death the page is lost.
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/link.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"
#include "ssi/container/wire.h"

#define LOW_PERCENT  8u  // of the frames: with less left, pages go,
#define HIGH_PERCENT 10u // until so many are
#define KEPT_PERCENT 25u // a node with less left lodges nothing more,
#define NAK_PERCENT  12u // and refuses what is on its way
#define SMALL_PAGES  32u // of a container: not worth the linking
#define ASK_PAGES    256u
#define PUSHES_MAX   16u // of one container under way
#define TURN_PAGES   64u
#define LOOKS_MAX    1024u // pages looked at in one turn
#define TICK_NS      (20 * NS_PER_MS)
#define ANSWER_NS    (500 * NS_PER_MS)
#define WAIT_NS      (200 * NS_PER_MS)
#define PATIENCE_NS  (10 * NS_PER_S) // nothing went for so long: nothing can
// Who had no room is asked again after FULL_NS: what has ended there is on its way to be free.
#define FULL_NS     (250 * NS_PER_MS)
#define FULL_FOR_NS (3 * NS_PER_S) // nothing went for so long, and all said that they have no room
#define HOPELESS_NS NS_PER_S

NODE_VAR(bool, running);  // the thread
NODE_VAR(bool, hopeless); // nothing can go, of this shortage and for a while
NODE_VAR(bool, short_of_frames);
NODE_VAR(struct wait_queue, lodge_wake); // the thread's
NODE_VAR(struct wait_queue, room);       // of those who found no frame
NODE_VAR(struct node_set, full);         // asked, and they had no room
NODE_VAR(uint64_t, full_ns);             // when the first of them was
NODE_VAR(uint64_t, went_ns);             // when a frame was last had back

static uint32_t percent(uint32_t n)
{
    return frame_total_count() * n / 100; // of 16 GiB it is 10^8
}

// Until somebody wakes it, or until then.
static void doze(struct wait_queue *q, uint64_t until_ns)
{
    int why = wait_sleep(q, until_ns, 0);
    ASSERT(why == 0 || why == -ETIMEDOUT);
}

static void begin(void)
{
    node(short_of_frames) = true;
    node(went_ns) = clock_now_ns();
    wait_wake_all(&node(lodge_wake));
}

// Half of what is low is left to the kernel, which needs some to have pages go.
bool lodge_wait(void)
{
    uint32_t free = frame_free_count(), low = percent(LOW_PERCENT);
    if (free >= low) {
        node(hopeless) = false; // the next shortage is another one
        return false;
    }
    if (!node(running) || node(hopeless) || setting_is("lodge", "off"))
        return false;
    if (!node(short_of_frames))
        begin();
    if (free >= low / 2)
        return false;
    // Who has a signal to see to, perhaps to end by it, goes on: there is still some for it.
    return wait_sleep(&node(room), clock_now_ns() + WAIT_NS, WAIT_INTERRUPTIBLE) != -EINTR;
}

static void had_back(void)
{
    node(went_ns) = clock_now_ns();
    wait_wake_all(&node(room));
}

static void has_no_room(node_id_t n)
{
    if (node_set_empty(&node(full)))
        node(full_ns) = clock_now_ns();
    node_set_add(&node(full), n);
}

void lodge_progress(struct container *c, bool went)
{
    struct container_link *l = c->link;
    l->lodge_wishes -= l->lodge_wishes > 0;
    if (!node(short_of_frames))
        return;
    if (went) {
        had_back();
    } else if (l->lodge_to != NODE_NONE) {
        has_no_room(l->lodge_to);
        l->lodge_pages = 0;
    }
    wait_wake_all(&node(lodge_wake));
}

// ---- who gives ----------------------------------------------------------------------------------

// The member with most memory left, of those that have not refused; who has not been heard last.
static node_id_t roomiest(void)
{
    node_id_t found = NODE_NONE;
    uint32_t most = 0;
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct cluster_load load = {0};
        if (n == cluster_self() || node_set_has(&node(full), n))
            continue;
        (void)cluster_load_of(n, &load);
        if (found == NODE_NONE || load.free_kib > most) {
            found = n;
            most = load.free_kib;
        }
    }
    return found;
}

// Is there somebody to ask, now or again, or asked already?
static bool ask(struct container *c)
{
    struct container_lodge_wire w = {.pages = ASK_PAGES};
    node_id_t to = roomiest();
    if (to == NODE_NONE)
        return !node_set_empty(&node(full)) && clock_now_ns() < node(went_ns) + FULL_FOR_NS;
    if (c->link && c->link->lodge_asked_until_ns > clock_now_ns())
        return true;
    if (container_export(c, &w.ref) < 0)
        return false;
    c->link->lodge_asked_until_ns = clock_now_ns() + ANSWER_NS;
    node_set_add(&c->link->known, to);
    wire_send(to, MSG_container_lodge, &w, sizeof(w));
    return true;
}

static bool is_locked(const struct container *c)
{
    struct segment *s;
    list_for_each (s, &c->segments, object_link) {
        if (s->flags & SEGMENT_LOCKED)
            return true;
    }
    return false;
}

static bool may_give(const struct container *c)
{
    const struct container_link *l = c->link;
    if (c->linker->own || c->present < SMALL_PAGES || is_locked(c))
        return false;
    return l == NULL ||
           (!l->lodges && !l->rebuilding && (!link_is_home(c) || l->gate.state == COH_GATE_OPEN));
}

// Would a frame be free if the page were not here, and is nothing under way with it?
static bool is_spare(const struct container *c, uint32_t index, page_t p)
{
    return page_may_read(p) && page_held(p) != COH_HELD_OWNER && !page_asked(p) &&
           !(p & PAGE_BORROWED) && frame_users(page_frame(p)) == 1 &&
           (c->link == NULL || radix_get(&c->link->directory, index) == NULL ||
            page_held(p) == COH_HELD_READER);
}

enum turn {
    TURN_NOTHING, // of this nothing can go
    TURN_WAITS,   // for an answer, or for pages under way
    TURN_DONE,    // something went, or there is more to look at
};

static enum turn give_copy(struct container *c, uint32_t index)
{
    if (!transition_lodge(c, index))
        return TURN_WAITS;
    had_back();
    return TURN_DONE;
}

// The home is elsewhere: it takes the page itself, or does not answer.
static enum turn wish(struct container *c, uint32_t index)
{
    struct container_link *l = c->link;
    uint64_t now = clock_now_ns();
    if (l->lodge_asked_until_ns <= now)
        l->lodge_wishes = 0;
    if (l->lodge_wishes >= PUSHES_MAX || !link_can_carry_page() || !transition_lodge(c, index))
        return TURN_WAITS;
    l->lodge_wishes++;
    l->lodge_asked_until_ns = now + ANSWER_NS;
    cluster_count_add("container: pages lodged elsewhere", 1);
    return TURN_DONE;
}

// One spare page. TURN_DONE: it went, or is on its way.
static enum turn give(struct container *c, uint32_t index, page_t p)
{
    struct container_link *l = c->link;
    bool home = l == NULL || link_is_home(c);
    if (home && page_held(p) == COH_HELD_WRITER && (p & PAGE_CLEAN) && !(l && l->orphaned)) {
        page_drop(c, index);
        had_back();
        return TURN_DONE;
    }
    if (page_held(p) == COH_HELD_READER)
        return give_copy(c, index);
    if (!home)
        return wish(c, index);
    if (l == NULL || l->lodge_pages == 0 || !cluster_is_member(l->lodge_to))
        return ask(c) ? TURN_WAITS : TURN_NOTHING;
    // A message that finds no memory is lost with what it says.
    if (l->busy >= PUSHES_MAX || !link_can_carry_page())
        return TURN_WAITS;
    if (!transition_lodge(c, index))
        return TURN_WAITS;
    l->lodge_pages--;
    cluster_count_add("container: pages lodged elsewhere", 1);
    return TURN_DONE;
}

static uint32_t *cursor(struct container *c, uint32_t *of_local)
{
    return c->link ? &c->link->lodge_cursor : of_local;
}

static enum turn give_some(struct container *c)
{
    enum turn result = TURN_NOTHING;
    uint32_t start = 0;
    unsigned given = 0;
    bool from_the_beginning = *cursor(c, &start) == 0;
    for (unsigned looked = 0; given < TURN_PAGES; looked++) {
        uint32_t *at = cursor(c, &start), index = *at;
        page_t p = (page_t)radix_next(&c->pages, &index);
        if (p == 0) {
            *at = 0;
            if (from_the_beginning)
                return result;
            from_the_beginning = true;
            continue;
        }
        if (looked == LOOKS_MAX)
            return TURN_DONE;
        if (is_spare(c, index, p)) {
            enum turn one = give(c, index, p);
            if (one != TURN_DONE)
                return MAX(one, result);
            given++;
            result = TURN_DONE;
        }
        *cursor(c, &start) = index + 1;
    }
    return result;
}

// ---- who takes ----------------------------------------------------------------------------------

bool lodge_accepts(const struct container *c, bool pushed)
{
    bool has_room = frame_free_count() > percent(NAK_PERCENT);
    if (c->users == 0 && !c->link->lodges && !link_is_home(c))
        return false;
    return has_room || (!pushed && c->users > 0);
}

void lodge_give_back(struct container *c)
{
    c->link->lodges = false;
    drain_consider(c);
}

// A record of a container whose home is short of memory; NULL: this node will not have it.
static struct container *lodging_for(const struct container_ref *ref)
{
    struct container *c = link_find(&ref->id);
    if (c == NULL) {
        const struct io_linker *linker = container_linker_of(ref->source.kind);
        c = linker && linker->own == NULL ? link_import(ref) : NULL;
        if (c == NULL)
            return NULL;
        c->users = 0;
    }
    link_learn(c, ref->home, ref->home_generation);
    if (link_is_home(c) || !list_empty(&c->link->drain_link) || ref->extent > INDEX_END)
        return NULL;
    c->extent = MAX(c->extent, ref->extent);
    c->link->lodges = c->users == 0;
    return c;
}

void container_on_lodge(const struct rpc_in *in)
{
    struct container_lodge_wire w;
    if (in->n != sizeof(w)) {
        cluster_count_add("container: malformed wish to lodge", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    uint32_t free = frame_free_count(), kept = percent(KEPT_PERCENT);
    w.pages = MIN(w.pages, free > kept ? (free - kept) / 2 : 0);
    if (w.ref.home != in->from || (w.pages > 0 && lodging_for(&w.ref) == NULL))
        w.pages = 0;
    wire_send(in->from, MSG_container_lodged, &w, sizeof(w));
}

void container_on_lodged(const struct rpc_in *in)
{
    struct container_lodge_wire w;
    if (in->n != sizeof(w)) {
        cluster_count_add("container: malformed answer of a lodger", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    struct container *c = link_find(&w.ref.id);
    if (c == NULL || !link_is_home(c) || !cluster_is_member(in->from))
        return; // it ended meanwhile, or moved: no page of it has gone there
    struct container_link *l = c->link;
    l->lodge_asked_until_ns = 0;
    if (w.pages == 0)
        has_no_room(in->from);
    l->lodge_to = in->from;
    l->lodge_pages = MIN(w.pages, ASK_PAGES);
    wait_wake_all(&node(lodge_wake));
}

// ---- the thread ---------------------------------------------------------------------------------

static enum turn one_turn(struct container *c)
{
    if (may_give(c))
        return give_some(c);
    if (c->link && c->link->lodges && c->users == 0 && c->present > 0) {
        lodge_give_back(c);
        return TURN_WAITS;
    }
    return TURN_NOTHING;
}

// Every container once, until one has given.
static enum turn round_of_all(void)
{
    enum turn result = TURN_NOTHING;
    struct container *first = container_in_turn(), *c = first;
    while (c && result != TURN_DONE) {
        result = MAX(result, one_turn(c));
        c = container_in_turn();
        if (c == first)
            break;
    }
    return result;
}

// Who waits for a frame hears that there is none, and for a while nobody tries.
static void give_up(void)
{
    uint64_t until_ns = clock_now_ns() + HOPELESS_NS;
    node(hopeless) = true;
    node(short_of_frames) = false;
    node_set_clear(&node(full));
    wait_wake_all(&node(room));
    while (node(hopeless) && clock_now_ns() < until_ns)
        doze(&node(lodge_wake), until_ns);
    node(hopeless) = false;
}

static void enough(void)
{
    node(short_of_frames) = false;
    node_set_clear(&node(full));
    wait_wake_all(&node(room));
    doze(&node(lodge_wake), WAIT_FOREVER);
}

static void lodge_run(void *arg UNUSED)
{
    node(running) = true;
    for (;;) {
        if (!node(short_of_frames) || frame_free_count() >= percent(HIGH_PERCENT)) {
            enough();
            continue;
        }
        if (clock_now_ns() > node(full_ns) + FULL_NS)
            node_set_clear(&node(full));
        enum turn result = round_of_all();
        if (result == TURN_NOTHING || clock_now_ns() > node(went_ns) + PATIENCE_NS)
            give_up();
        else if (result == TURN_WAITS)
            doze(&node(lodge_wake), clock_now_ns() + TICK_NS);
        else
            kernel_pause();
    }
}

static void lodge_init(void)
{
    wait_init(&node(lodge_wake));
    wait_init(&node(room));
}
INIT_STEP(INIT_CORE, lodge_init);

static void lodge_start(void)
{
    (void)thread_create("lodge", THREAD_NORMAL, lodge_run, NULL);
}
INIT_STEP(INIT_NET, lodge_start);
