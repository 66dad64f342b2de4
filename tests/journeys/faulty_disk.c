/* A disk that forgets: preloaded into a process, it keeps beside each file below FAULTY_ROOT a copy of what was last synced.

   After fsync or fdatasync of such a file has succeeded, and before it returns, the file is copied to the same name below
   FAULTY_SHADOW; after fsync of a folder, names that are gone from it are gone there too. So whatever the process does after,
   FAULTY_SHADOW is the disk after a power cut that took every unsynced write and every unsynced removal. It stands below
   everything: the queue's own writes and SQLite's alike. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void make_parents(char *path)
{
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(path, 0700);
            *p = '/';
        }
}

static int copy(const char *from, const char *to)
{
    char buffer[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = -1;
    while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0)
        if (write(out, buffer, n) != n) {
            n = -1;
            break;
        }
    close(in);
    close(out);
    return n == 0 ? 0 : -1;
}

static void forget_removed(const char *folder, const char *shadow)
{
    char here[PATH_MAX + 512], there[PATH_MAX + 512];
    DIR *names = opendir(shadow);
    struct dirent *name;
    while (names && (name = readdir(names))) {
        snprintf(here, sizeof here, "%s/%s", folder, name->d_name);
        snprintf(there, sizeof there, "%s/%s", shadow, name->d_name);
        if (access(here, F_OK))
            unlink(there);
    }
    if (names)
        closedir(names);
}

static void remember(int fd)
{
    const char *root = getenv("FAULTY_ROOT"), *shadow = getenv("FAULTY_SHADOW");
    char link[64], path[PATH_MAX], to[PATH_MAX + 64], temporary[PATH_MAX + 128];
    struct stat status;
    int saved = errno;
    if (!root || !shadow || fstat(fd, &status) || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return;
    path[n] = 0;
    if (strncmp(path, root, strlen(root)))
        return;
    snprintf(to, sizeof to, "%s%s", shadow, path + strlen(root));
    if (S_ISDIR(status.st_mode)) {
        forget_removed(path, to);
        errno = saved;
        return;
    }
    make_parents(to);
    snprintf(temporary, sizeof temporary, "%s.%ld.tmp", to, (long)syscall(SYS_gettid));
    if (copy(path, temporary) == 0)
        rename(temporary, to);
    errno = saved;
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = real(fd);
    if (result == 0)
        remember(fd);
    return result;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = real(fd);
    if (result == 0)
        remember(fd);
    return result;
}
