import CLinux

/// A child process. Its starter must wait for it.
public struct Process: Sendable {
    public let pid: Int32

    public struct Options: Sendable {
        /// nil: this process's own environment.
        public var environment: [String]?
        public var directory: String?
        /// The descriptor for stdout and stderr; nil: those of this process.
        public var output: Int32?
        /// What the child finds as its descriptor 3, to talk with this process.
        public var channel: Int32?
        /// The kernel sends SIGTERM when the thread that started it ends.
        public var diesWithParent = false
        /// A process group of its own: Ctrl-C at the terminal does not reach it.
        public var newGroup = false
        public init() {}
    }

    /// Starts a program found by PATH.
    public static func spawn(_ arguments: [String], _ options: Options = Options()) throws(SystemError) -> Process {
        let argv = unsafe CStrings(arguments)
        let environment = unsafe options.environment.map { unsafe CStrings($0) }
        let pid = unsafe clinux_spawn(
            argv.pointers, environment?.pointers, options.directory, options.output ?? -1, options.channel ?? -1,
            options.diesWithParent ? 1 : 0, options.newGroup ? 1 : 0)
        return Process(pid: try SystemError.check("start \(arguments.first ?? "")", pid))
    }

    /// Runs a program to its end; its exit code, or 128 + the signal that ended it.
    public static func run(_ arguments: [String], _ options: Options = Options()) throws(SystemError) -> Int32 {
        try spawn(arguments, options).wait()
    }

    public func wait() throws(SystemError) -> Int32 {
        var status: Int32 = 0
        try SystemError.check("waitpid", unsafe clinux_wait(pid, 1, &status))
        return status
    }

    /// nil while it runs.
    public func exitStatus() throws(SystemError) -> Int32? {
        var status: Int32 = 0
        return try SystemError.check("waitpid", unsafe clinux_wait(pid, 0, &status)) == 1 ? status : nil
    }

    public func kill(_ signal: Signals.Signal) { _ = clinux_kill(pid, signal.rawValue) }
    /// Whether a process of this id exists, ours or not.
    public static func exists(_ pid: Int32) -> Bool { clinux_kill(pid, 0) != -3 }
    public static func kill(_ pid: Int32, _ signal: Signals.Signal) { _ = clinux_kill(pid, signal.rawValue) }

    /// Where a child finds what was given as its `channel`.
    public static let channelDescriptor: Int32 = 3

    /// Lets a process, and what it starts from then on, run on one processor only. 0: the calling thread.
    public static func pin(_ pid: Int32, to processor: Int) throws(SystemError) {
        try SystemError.check("run on processor \(processor)", clinux_pin(pid, Int32(clamping: processor)))
    }

    public static var id: Int32 { clinux_pid() }
    public static var userID: Int32 { clinux_user_id() }
    /// Ends this process at once.
    public static func exit(_ code: Int32) -> Never {
        clinux_exit(code)
        while true {}
    }

    /// A C array of C strings.
    @unsafe private final class CStrings {
        let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        private let count: Int
        init(_ strings: [String]) {
            unsafe count = strings.count
            unsafe pointers = .allocate(capacity: strings.count + 1)
            for (i, string) in strings.enumerated() {
                let bytes = Array(string.utf8CString)
                let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
                unsafe copy.initialize(from: bytes, count: bytes.count)
                unsafe pointers[i] = copy
            }
            unsafe pointers[count] = nil
        }
        deinit {
            for i in unsafe 0..<count { unsafe pointers[i]?.deallocate() }
            unsafe pointers.deallocate()
        }
    }
}
