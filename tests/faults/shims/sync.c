/* Notes how much of each append-only file was safe on the disk: its size when a sync that succeeded was asked for.
 * SYNC_LOG names the log; a line is "<bytes> <path>". What was written after the last one, a power cut takes away. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fdatasync(int fd) {
    static int (*real)(int);
    char link[64], path[4096], line[4200];
    struct stat before;
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int is_known = fstat(fd, &before) == 0;
    int done = real(fd);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    const char *log = getenv("SYNC_LOG");
    if (done == 0 && is_known && length > 0 && log) {
        path[length] = 0;
        if (strstr(path, ".incr.aof")) {
            int count = snprintf(line, sizeof line, "%lld %s\n", (long long)before.st_size, path);
            int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
            if (out >= 0) {
                if (write(out, line, (size_t)count) < 0) abort();
                close(out);
            }
        }
    }
    return done;
}
