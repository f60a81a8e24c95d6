/* A disk whose writes block: preloaded into a program, and told by its environment.
 *
 * While the file SLOW_DISK_TRIGGER exists, the next write to a file below SLOW_DISK_FOLDER removes it and then takes
 * SLOW_DISK_S seconds longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int lies_below(int fd, const char *folder)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    size_t length = strlen(folder);
    return size > (ssize_t)length && strncmp(path, folder, length) == 0 && path[length] == '/';
}

static void block(void)
{
    const char *seconds = getenv("SLOW_DISK_S");
    struct timespec left = {.tv_sec = seconds ? atoi(seconds) : 0};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    const char *trigger = getenv("SLOW_DISK_TRIGGER"), *folder = getenv("SLOW_DISK_FOLDER");
    if (trigger && folder && lies_below(fd, folder) && unlink(trigger) == 0)
        block();
    return real(fd, data, size);
}
