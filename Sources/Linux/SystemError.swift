import CLinux

/// A system call that failed.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    public let call: String
    public let errno: Int32

    public init(call: String, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    public var description: String {
        guard let text = unsafe clinux_error_text(errno) else { return "\(call): error \(errno)" }
        return unsafe "\(call): \(String(cString: text))"
    }

    public static let wouldBlock: Int32 = 11
    public static let tooManyInProcess: Int32 = 24
    public static let tooManyInSystem: Int32 = 23
    public static let noMemory: Int32 = 12
    public static let noBuffers: Int32 = 105
    public static let aborted: Int32 = 103
    public static let exists: Int32 = 17
    public static let notFound: Int32 = 2
    public static let inUse: Int32 = 98

    /// CLinux answers -errno; turns that into a thrown error.
    @discardableResult
    static func check<Number: BinaryInteger>(_ call: String, _ answer: Number) throws(SystemError) -> Number {
        if answer < 0 { throw SystemError(call: call, errno: Int32(truncatingIfNeeded: -Int(answer))) }
        return answer
    }
}
