# The thread budget of the process, and what its processor can do.

cdef extern from *:
    """
    #if defined(__x86_64__)
    static int mn_cpu_has(int feature) {
        __builtin_cpu_init();
        switch (feature) {
            case 0: return __builtin_cpu_supports("sse2") != 0;
            case 1: return __builtin_cpu_supports("avx") != 0;
            case 2: return __builtin_cpu_supports("avx2") != 0;
            case 3: return __builtin_cpu_supports("fma") != 0;
            case 4: return __builtin_cpu_supports("avx512f") != 0;
            case 5: return __builtin_cpu_supports("avx512bw") != 0;
            case 6: return __builtin_cpu_supports("avx512dq") != 0;
            case 7: return __builtin_cpu_supports("avx512vl") != 0;
        }
        return 0;
    }
    #elif defined(__aarch64__)
    static int mn_cpu_has(int feature) { return feature == 8; }
    #else
    static int mn_cpu_has(int feature) { (void)feature; return 0; }
    #endif
    """
    int mn_cpu_has(int feature)

cdef tuple CPU_FEATURES = (
    "sse2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "neon",
)
cdef bint thread_budget_known = False


def cpu_features() -> set:
    """The vector extensions that this machine offers, such as ``{"sse2", "avx2", "fma"}``."""
    return {name for feature, name in enumerate(CPU_FEATURES) if mn_cpu_has(feature)}


def cpu_quota(cgroup_file="/proc/self/cgroup", mount="/sys/fs/cgroup"):
    """How many processors the control groups of this process allow, or None when none sets a limit.

    Reads version 2 (``cpu.max``) and version 1 (``cpu.cfs_quota_us``), and all enclosing groups: the tightest
    wins.
    """
    try:
        with open(cgroup_file, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        hierarchy, controllers, group = line.split(":", 2)
        if hierarchy == "0" and not controllers:
            folders, read_quota = [mount], _quota_version_2
        elif "cpu" in controllers.split(","):
            folders = [os.path.join(mount, controllers), os.path.join(mount, "cpu")]
            read_quota = _quota_version_1
        else:
            continue
        for folder in folders:
            parts = [part for part in group.split("/") if part]
            for depth in range(len(parts) + 1):
                quota = read_quota(os.path.join(folder, *parts[:depth]))
                if quota is not None:
                    quotas.append(quota)
    return min(quotas, default=None)


def _quota_version_2(folder):
    text = _first_line(os.path.join(folder, "cpu.max"))
    if text is None:
        return None
    quota, _, period = text.partition(" ")
    return None if quota == "max" else float(quota) / float(period or 100_000)


def _quota_version_1(folder):
    quota = _first_line(os.path.join(folder, "cpu.cfs_quota_us"))
    period = _first_line(os.path.join(folder, "cpu.cfs_period_us"))
    if quota is None or period is None or float(quota) <= 0:
        return None
    return float(quota) / float(period)


def _first_line(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip() or None
    except OSError:
        return None


def default_threads() -> int:
    """How many threads a plan uses unless told otherwise.

    ``MATHNET_NUM_THREADS`` if set; else the processors that the affinity mask and the control groups allow.

    Raises ``ValueError`` when ``MATHNET_NUM_THREADS`` is not a positive integer.
    """
    text = os.environ.get("MATHNET_NUM_THREADS")
    if text is not None and text.strip():
        if not text.strip().isdecimal() or int(text) < 1:
            raise ValueError(
                f"MATHNET_NUM_THREADS={text!r}: expected a positive whole number of threads; "
                "unset it to use every processor allowed to this process"
            )
        return min(int(text), MN_POOL_MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    quota = cpu_quota()
    if quota is not None:
        processors = min(processors, math.floor(quota))
    return max(1, min(processors, MN_POOL_MAX_THREADS))


def set_threads(threads: int) -> None:
    """Sets how many threads one instruction may use in this process, the calling one included.

    Results do not depend on it.  Raises ``ValueError`` unless ``1 <= threads <= 256``.
    """
    global thread_budget_known
    if not 1 <= threads <= MN_POOL_MAX_THREADS:
        raise ValueError(f"set_threads({threads!r}): expected a number from 1 to {MN_POOL_MAX_THREADS}")
    mn_pool_set_threads(threads)
    thread_budget_known = True


def threads() -> int:
    """How many threads one instruction may use: the last ``set_threads``, else ``default_threads()``."""
    settle_thread_budget()
    return mn_pool_threads()


def pool_started() -> bool:
    """Whether worker threads exist: they start with the first instruction that is worth dividing."""
    return mn_pool_workers() > 0


cdef int settle_thread_budget() except -1:
    if not thread_budget_known:
        set_threads(default_threads())
    return 0
