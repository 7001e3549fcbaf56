import Foundation
import Linux
import Report

/// JSON lines between conductor and worker over a socket pair.
final class WorkerChannel {
    let fd: Int32
    private var received: [UInt8] = []
    private(set) var isEnded = false

    init(_ fd: Int32) { self.fd = fd }

    func send(_ value: some Encodable) throws {
        let bytes = Array(try RunFile.data(value)) + [UInt8(ascii: "\n")]
        var sent = 0
        while sent < bytes.count {
            switch Socket.send(fd, bytes.span.extracting(sent..<bytes.count)) {
            case .bytes(let count): sent += count
            case .wouldBlock:
                guard try Socket.wait(fd, readable: false, timeout: .seconds(20)) else {
                    throw LoadFailure("the other process does not listen")
                }
            case .ended, .failed: throw LoadFailure("the other process is gone")
            }
        }
    }

    /// Returns the complete messages that have arrived.
    func take<Value: Decodable>(_ type: Value.Type = Value.self) throws -> [Value] {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        reading: while true {
            var span = chunk.mutableSpan
            switch Socket.receive(fd, into: &span) {
            case .bytes(let count): received += chunk[..<count]
            case .wouldBlock: break reading
            case .ended, .failed:
                isEnded = true
                break reading
            }
        }
        var values: [Value] = []
        while let end = received.firstIndex(of: UInt8(ascii: "\n")) {
            values.append(try RunFile.value(type, from: Data(received[..<end])))
            received.removeSubrange(...end)
        }
        return values
    }
}
