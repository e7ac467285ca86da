// SPDX-License-Identifier: MIT
// The coordinator's side of the witness: a datagram there, a datagram back.
#include "ssi/cluster/witness.h"
#include "kernel/fault.h"
#include "ssi/cluster/cluster_priv.h"
#include "ssi/cluster/link.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/net.h"

typedef void (*witness_answered)(uint32_t epoch, bool yes);

NODE_VAR(struct udp_port *, witness_port);
NODE_VAR(witness_answered, witness_tell);
NODE_VAR(struct witness_message, witness_asked);

static void witness_on_answer(void *arg, struct net_address from, const void *bytes, size_t n)
{
    (void)arg;
    struct witness_sealed s = {0};
    const struct seal_keys *keys = link_seal_keys();
    if (n != (keys != NULL ? sizeof(s) : sizeof(s.message)) || from.port != WITNESS_PORT) {
        cluster_count_add("witness: malformed answer", 1);
        return;
    }
    memcpy(&s, bytes, n);
    if (keys != NULL && !seal_mac_fits(keys->witness, &s.message, sizeof(s.message), s.mac)) {
        cluster_count_add("witness: answer without our key", 1);
        return;
    }
    struct witness_message m = s.message;
    bool yes = m.kind == WITNESS_GRANTED;
    if (!yes && m.kind != WITNESS_REFUSED)
        return;
    m.kind = WITNESS_ASK;
    if (memcmp(&m, &node(witness_asked), sizeof(m)) == 0) // an answer to my last question
        node(witness_tell)(m.epoch, yes);
}

void cluster_witness_start(void (*answered)(uint32_t epoch, bool yes))
{
    node(witness_tell) = answered;
    node(witness_port) = udp_open(0, witness_on_answer, NULL);
}

void cluster_witness_ask(const struct mb *m, uint64_t session)
{
    if (node(witness_port) == NULL || FAULT("membership", "witness", NODE_NONE))
        return;
    node(witness_asked) = (struct witness_message){.magic = WITNESS_MAGIC,
                                                   .version = WITNESS_VERSION,
                                                   .kind = WITNESS_ASK,
                                                   .id = m->id,
                                                   .session = session,
                                                   .cluster = m->decided.cluster,
                                                   .nonce = m->self.key,
                                                   .incarnation = m->incarnation,
                                                   .epoch = m->decided.epoch + 1};
    struct net_address to = {.ip = m->decided.witness, .port = WITNESS_PORT};
    const struct seal_keys *keys = link_seal_keys();
    struct witness_sealed s = {.message = node(witness_asked)};
    if (keys != NULL)
        seal_mac(keys->witness, &s.message, sizeof(s.message), s.mac);
    (void)udp_send(node(witness_port), to, &s, keys != NULL ? sizeof(s) : sizeof(s.message));
}
