// SPDX-License-Identifier: MIT
// Says something on both outputs and dies of SIGSEGV.
#include <stdio.h>

int main(void)
{
    volatile int *volatile nowhere = NULL;

    printf("out\n");
    fflush(stdout);
    fprintf(stderr, "err\n");
    *nowhere = 1;
    return 0;
}
