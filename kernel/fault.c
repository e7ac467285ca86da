// SPDX-License-Identifier: MIT
#include "kernel/fault.h"
#include "arch/x86/arch.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"

enum {
    FAULTS_MAX = 8
};

enum fault_action {
    FAULT_DIE,
    FAULT_DROP,
    FAULT_STALL,
    FAULT_TELL,
    FAULT_ACTIONS
};

static const char *const actions[FAULT_ACTIONS] = {"die", "drop", "stall", "tell"};

struct fault {
    char words[FAULT_WORDS_MAX]; // as given
    uint8_t room_bytes, state_at, state_bytes;
    uint8_t action; // enum fault_action
    bool struck;
    uint32_t at, came; // strikes when it came there so often
};

NODE_VAR(struct fault, faults[FAULTS_MAX]);
NODE_VAR(unsigned, fault_count);

bool (*fault_on_point)(const char *room, const char *state, node_id_t to);

// ---- which there are ----------------------------------------------------------------------------

void fault_points_each(fault_tell_fn tell, void *arg)
{
#define FAULT_POINT(room, state, what) tell(room, state, arg);
#include "kernel/faults.def"
#undef FAULT_POINT
    SET_FOREACH (fault_list, const fault_list_fn, list)
        (**list)(tell, arg);
}

static bool word_is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncmp(text, word, n) == 0;
}

// "handoff" stands for handoff-source and handoff-target.
static bool room_is(const char *text, size_t n, const char *room)
{
    return strncmp(text, room, n) == 0 && (room[n] == '\0' || room[n] == '-');
}

static bool is_at(const struct fault *f, const char *room, const char *state)
{
    return room_is(f->words, f->room_bytes, room) &&
           word_is(f->words + f->state_at, f->state_bytes, state);
}

struct search {
    const struct fault *wanted;
    bool found;
};

static void compare(const char *room, const char *state, void *arg)
{
    struct search *s = arg;
    s->found = s->found || is_at(s->wanted, room, state);
}

// ---- arming -------------------------------------------------------------------------------------

static int parse_action(struct fault *f, const char *word)
{
    const char *at = strchr(word, '@');
    size_t n = at ? (size_t)(at - word) : strlen(word);
    f->at = 1;
    if (at && (!str_to_u32(at + 1, &f->at) || f->at == 0))
        return -EINVAL;
    for (f->action = 0; f->action < FAULT_ACTIONS; f->action++)
        if (word_is(word, n, actions[f->action]))
            return 0;
    return -EINVAL;
}

static int parse(struct fault *f, const char *words)
{
    const char *first = strchr(words, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    if (second == NULL || strlen(words) >= sizeof(f->words))
        return -EINVAL;
    str_copy(f->words, words, sizeof(f->words));
    f->room_bytes = (uint8_t)(first - words);
    f->state_at = (uint8_t)(f->room_bytes + 1);
    f->state_bytes = (uint8_t)(second - first - 1);
    struct search s = {.wanted = f};
    fault_points_each(compare, &s);
    return s.found ? parse_action(f, second + 1) : -EINVAL;
}

// True when the words are of this form.
static bool parse_allocation(const char *words, const char *kind, uint32_t *at)
{
    char number[12];
    size_t n = strlen(kind);
    if (strncmp(words, kind, n) != 0 || words[n] != ':')
        return false;
    const char *from = words + n + 1, *end = strchr(from, ':');
    if (end == NULL || strcmp(end, ":fail") != 0 || (size_t)(end - from) >= sizeof(number))
        return false;
    memcpy(number, from, (size_t)(end - from));
    number[end - from] = '\0';
    return str_to_u32(number, at);
}

static bool strike(const char *room, const char *state, node_id_t to);

int fault_arm(const char *words)
{
    uint32_t at;
    if (strcmp(words, "clear") == 0) {
        node(fault_count) = 0;
        heap_fail_at(0);
        frame_fail_at(0);
        return 0;
    }
    if (parse_allocation(words, "heap", &at)) {
        heap_fail_at(at);
        return 0;
    }
    if (parse_allocation(words, "frame", &at)) {
        frame_fail_at(at);
        return 0;
    }
    struct fault f = {0};
    if (parse(&f, words) < 0)
        return -EINVAL;
    unsigned i = 0;
    while (i < node(fault_count) && !node(faults)[i].struck)
        i++;
    if (i == FAULTS_MAX)
        return -ENOSPC;
    node(faults)[i] = f;
    node(fault_count) += i == node(fault_count);
    fault_on_point = strike;
    return 0;
}

// ---- striking -----------------------------------------------------------------------------------

static void stand_still(void)
{
    uint64_t until = arch_clock_ns() + FAULT_STALL_MS * NS_PER_MS;
    while (arch_clock_ns() < until)
        ;
}

static bool act(const struct fault *f)
{
    log_warn("fault", "%s", f->words);
    switch ((enum fault_action)f->action) {
    case FAULT_DIE:
        arch_exit(1);
    case FAULT_DROP:
        return true;
    case FAULT_STALL:
        stand_still();
        return false;
    case FAULT_TELL:
    case FAULT_ACTIONS:
        return false;
    }
    return false;
}

static bool strike(const char *room, const char *state, node_id_t to UNUSED)
{
    for (struct fault *f = node(faults); f < node(faults) + node(fault_count); f++) {
        if (f->struck || !is_at(f, room, state) || ++f->came < f->at)
            continue;
        f->struck = true;
        return act(f);
    }
    return false;
}

void faults_show(struct text *t)
{
    for (const struct fault *f = node(faults); f < node(faults) + node(fault_count); f++)
        text_add(t, "%s came %u %s\n", f->words, f->came, f->struck ? "struck" : "waits");
    text_add(t, "heap:%u frame:%u allocations until one fails\n", heap_fails_in(),
             frame_fails_in());
}

static void fault_start(void)
{
    const char *words;
    for (unsigned i = 0; (words = setting_nth("fault", i)) != NULL; i++)
        if (fault_arm(words) < 0)
            log_warn("fault", "fault=%s: no such point or action", words);
}
INIT_STEP(INIT_CORE, fault_start);
