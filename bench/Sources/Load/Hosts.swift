import Foundation
import Linux
import Postgres

/// The bench's queries of a hub's metrics page and database.
extension Server {
    /// The sum of a metric's samples, whatever their labels.
    func metric(_ name: String) throws -> Double {
        let text = try page("/metrics")
        let lines = text.split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
        guard !lines.isEmpty else { throw LoadFailure("the hub's metrics have no \(name)") }
        return lines.reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "") ?? 0) }
    }

    private func page(_ path: String) throws -> String {
        let fd = try Socket.connect(host: host, port: port, timeout: .seconds(5))
        defer { Socket.close(fd) }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".utf8)
        guard Socket.send(fd, request.span) == .bytes(request.count) else { throw LoadFailure("\(path) cannot be asked for") }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var span = buffer.mutableSpan
            switch Socket.receive(fd, into: &span) {
            case .bytes(let count): answer += buffer[..<count]
            case .wouldBlock:
                guard try Socket.wait(fd, readable: true, timeout: .seconds(10)) else {
                    throw LoadFailure("\(path) was not answered within 10 s")
                }
            case .ended: return String(decoding: answer, as: UTF8.self)
            case .failed(let error): throw SystemError(call: "receive \(path)", errno: error)
            }
        }
    }

    /// One number from the hub's database.
    func number(_ sql: String, _ parameters: [String] = []) throws -> Int64 {
        guard let databaseURL else { throw LoadFailure("where the hub's database is is not known: give the hub's --data folder") }
        let rows = try BlockingConnection(databaseURL, applicationName: "hub-bench").execute(sql, parameters)
        guard let text = rows.first?.first ?? nil, let number = Int64(text) else { throw LoadFailure("no number from: \(sql)") }
        return number
    }
}
