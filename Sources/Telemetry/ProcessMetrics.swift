import Linux

/// What the kernel knows about this process, by the names that Prometheus' own client libraries use.
package final class ProcessMetrics: MetricsGroup {
    package let processorSeconds = Reading("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", .counter) {
        let times = Machine.processorTimes
        return Double((times.user + times.system).wholeNanoseconds / 1_000) / 1_000_000
    }
    package let residentBytes = Reading("process_resident_memory_bytes", "Resident memory size in bytes.") {
        Double(Machine.memoryBytes.resident)
    }
    package let virtualBytes = Reading("process_virtual_memory_bytes", "Virtual memory size in bytes.") {
        Double(Machine.memoryBytes.virtual)
    }
    package let openDescriptors = Reading("process_open_fds", "Number of open file descriptors.") { Double(Machine.openDescriptors) }
    package let descriptorLimit = Reading("process_max_fds", "Maximum number of open file descriptors.") {
        Double(Machine.descriptorLimit)
    }
    package let startTime: Reading
    package let build = Reading("hub_build_info", "Always 1. The labels name the build.", labels: ["version", "swift"]) {
        [([Version.hub, Version.swift], 1)]
    }

    package init() {
        // Computed once: computing it again after the wall clock was set would tell another time for the same process.
        let started = Double(Machine.startTime) / 1_000
        startTime = Reading("process_start_time_seconds", "Start time of the process since unix epoch in seconds.") { started }
    }
}
