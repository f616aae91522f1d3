/*
 * qmigrate: the program.
 */

#include <stdio.h>

int main(void)
{
    char line[64];

    snprintf(line, sizeof(line), "qmigrate %s", QM_VERSION);
    return puts(line) < 0;
}
