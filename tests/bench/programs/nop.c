// SPDX-License-Identifier: MIT
// What micro executes: a program that does nothing.
int main(void)
{
    return 0;
}
