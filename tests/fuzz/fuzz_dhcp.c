// SPDX-License-Identifier: MIT
// links: net/dhcp_message.c lib/string.c lib/log.c lib/fmt.c

// DHCP replies, with transaction and address made right so that the options are read.
#include <stdlib.h>
#include <string.h>
#include "net/dhcp_message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x77, 0, 0x10}, xid[4] = {1, 2, 3, 4};
    struct dhcp_reply r;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    if (size >= 34) {
        memcpy(copy + 4, xid, sizeof(xid));
        memcpy(copy + 28, mac, sizeof(mac));
    }
    if (dhcp_parse(copy, size, 0x01020304, mac, &r)) {
        HOLDS(r.type == DHCP_OFFER || r.type == DHCP_ACK || r.type == DHCP_NAK);
        if (r.type != DHCP_NAK)
            HOLDS(r.prefix <= 32 && r.renew_s <= r.rebind_s && r.rebind_s <= r.lease_s);
    }
    free(copy);
    return 0;
}
