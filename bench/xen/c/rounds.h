/*
 * A program that is measured. It prints "ready"; for each line "<rounds>" on standard input it does so many rounds and
 * prints the nanoseconds they took.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

/* @param round returns 0, or what fail() returns @returns the exit code */
static int answer_rounds(int (*round)(void))
{
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int left = atoi(line); left > 0; left--)
            if (round())
                return 1;
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
