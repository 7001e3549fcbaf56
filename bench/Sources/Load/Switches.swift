import Foundation
import Linux

/// The context switches of this thread: voluntary ones, to sleep, and involuntary ones, when the kernel preempted it.
struct Switches: Equatable {
    var sleeps: Int64 = 0
    var preemptions: Int64 = 0

    static var now: Switches { Switches(status: (try? Files.text("/proc/thread-self/status")) ?? "") }

    init() {}

    /// From the text of `/proc/PID/status`.
    init(status: String) {
        for line in status.split(separator: "\n") {
            let words = line.split(separator: ":")
            guard words.count == 2, let count = Int64(words[1].trimmingCharacters(in: .whitespaces)) else { continue }
            switch words[0] {
            case "voluntary_ctxt_switches": sleeps = count
            case "nonvoluntary_ctxt_switches": preemptions = count
            default: continue
            }
        }
    }
}
