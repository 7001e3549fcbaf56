#define _GNU_SOURCE
#include "CLinux.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answer(int result) { return result < 0 ? -errno : result; }

// processes

int clinux_spawn(
    char *const argv[], char *const environment[], const char *directory, int output, int channel, int dies_with_parent, int new_group) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }
    if (pid == 0) {
        // Only async-signal-safe calls from here on: other threads may have held locks at the fork.
        int error = 0;
        sigset_t none;
        sigemptyset(&none);
        for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (dies_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (new_group) setpgid(0, 0);
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) dup2(null, 0);
        if (output >= 0 && (dup2(output, 1) < 0 || dup2(output, 2) < 0)) error = errno;
        // dup2 of a descriptor onto itself would leave it to be closed by the exec.
        if (!error && channel >= 0 && (channel == 3 ? fcntl(3, F_SETFD, 0) : dup2(channel, 3)) < 0) error = errno;
        if (!error && directory && chdir(directory) < 0) error = errno;
        // Ours are all closed by the exec, those of libraries are not (librdkafka's): a child that holds a socket keeps its peer from
        // seeing it closed. Linux before 5.11 refuses, and stays as it was.
        if (!error) close_range(channel >= 0 ? 4 : 3, ~0U, CLOSE_RANGE_CLOEXEC);
        if (!error) {
            if (environment) environ = (char **)environment;
            execvp(argv[0], argv);
            error = errno;
        }
        ssize_t written = write(report[1], &error, sizeof error);
        (void)written;
        _exit(127);
    }
    close(report[1]);
    int error = 0;
    ssize_t got;
    do got = read(report[0], &error, sizeof error);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == sizeof error) {
        waitpid(pid, NULL, 0);
        return -error;
    }
    return pid;
}

int clinux_wait(int pid, int block, int *status) {
    int raw;
    pid_t ended;
    do ended = waitpid(pid, &raw, block ? 0 : WNOHANG);
    while (ended < 0 && errno == EINTR);
    if (ended < 0) return -errno;
    if (ended == 0) return 0;
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return 1;
}

int clinux_kill(int pid, int signal) { return answer(kill(pid, signal)); }
int clinux_pid(void) { return getpid(); }
int clinux_user_id(void) { return (int)getuid(); }

int clinux_pin(int pid, int processor) {
    if (processor < 0 || processor >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return answer(sched_setaffinity(pid, sizeof set, &set));
}

// files

int clinux_open_read(const char *path) { return answer(open(path, O_RDONLY | O_CLOEXEC)); }

int clinux_open_write(const char *path, int mode, int exclusive, int append) {
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC);
    if (exclusive) flags |= O_EXCL;
    return answer(open(path, flags, mode));
}

int64_t clinux_read(int fd, uint8_t *buffer, size_t count) {
    ssize_t got;
    do got = read(fd, buffer, count);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int64_t clinux_write(int fd, const uint8_t *buffer, size_t count) {
    ssize_t written;
    do written = write(fd, buffer, count);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

int clinux_sync(int fd) { return answer(fsync(fd)); }
int clinux_lock_exclusive(int fd) { return answer(flock(fd, LOCK_EX | LOCK_NB)); }
int clinux_make_directory(const char *path, int mode) { return answer(mkdir(path, mode)); }
int clinux_remove(const char *path) { return answer(remove(path)); }
int clinux_rename(const char *from, const char *to) { return answer(rename(from, to)); }
int clinux_change_mode(const char *path, int mode) { return answer(chmod(path, mode)); }
int clinux_change_owner(const char *path, uint32_t user, uint32_t group) { return answer(chown(path, user, group)); }

int clinux_kind(const char *path) {
    struct stat about;
    if (stat(path, &about) < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    return S_ISREG(about.st_mode) ? 1 : S_ISDIR(about.st_mode) ? 2 : 3;
}

int clinux_user(const char *name, uint32_t *user, uint32_t *group) {
    struct passwd entry, *found = NULL;
    char buffer[4096];
    int error = getpwnam_r(name, &entry, buffer, sizeof buffer, &found);
    if (error) return -error;
    if (!found) return -ENOENT;
    *user = entry.pw_uid;
    *group = entry.pw_gid;
    return 0;
}

// the machine and this process

void clinux_map_large_blocks(void) { mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

int clinux_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int64_t clinux_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

int clinux_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = limit.rlim_max;
    return answer(setrlimit(RLIMIT_NOFILE, &limit));
}

int clinux_memory_bytes(int64_t *virtual_bytes, int64_t *resident_bytes) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return -errno;
    long total, resident;
    int read = fscanf(file, "%ld %ld", &total, &resident);
    fclose(file);
    if (read != 2) return -EIO;
    *virtual_bytes = (int64_t)total * sysconf(_SC_PAGESIZE);
    *resident_bytes = (int64_t)resident * sysconf(_SC_PAGESIZE);
    return 0;
}

int64_t clinux_descriptor_count(void) {
    // Since Linux 6.2 the size of this folder is the number of descriptors.
    struct stat status;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) return status.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return -errno;
    int64_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    // One of them is the folder's own descriptor.
    return count - 1;
}

int64_t clinux_start_time_ms(void) {
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return -errno;
    char text[1024];
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    // The program's name is in parentheses and may hold any character, so the fields are counted from its end.
    char *field = strrchr(text, ')');
    for (int number = 2; field && number < 22; number++) field = strchr(field + 1, ' ');
    if (!field) return -EIO;
    struct timespec now, sinceBoot;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &sinceBoot);
    int64_t boot = (now.tv_sec - sinceBoot.tv_sec) * 1000 + (now.tv_nsec - sinceBoot.tv_nsec) / 1000000;
    return boot + strtoll(field + 1, NULL, 10) * 1000 / sysconf(_SC_CLK_TCK);
}

int clinux_cpu_times(int64_t *user_us, int64_t *system_us) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0) return -errno;
    *user_us = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    *system_us = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    return 0;
}

const char *clinux_environment(const char *name) { return getenv(name); }
char **clinux_environment_all(void) { return environ; }
const char *clinux_error_text(int error) { return strerrordesc_np(error); }
void clinux_exit(int code) {
    fflush(NULL);
    _exit(code);
}
