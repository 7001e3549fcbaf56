import Linux

/// Hubs on one database, one broker and one bus. The services are those of an embedded hub, which takes no part in the work: it has a
/// bus and a topic of its own.
public final class Hubs {
    public let services: Server
    public private(set) var nodes: [Server] = []

    /// - Parameter storing: how many of them read the topic of events; the others read another one, and store nothing from Kafka.
    public init(_ choice: ServerChoice, count: Int, storing: Int) throws {
        guard case .hub(let executable) = choice.kind else { throw LoadFailure("only hubs that the bench starts can be several") }
        var own = choice
        own.settings = ["bus=memory"] + Self.apart("services")
        own.databaseConnections = count > 4 ? count * 5 + 20 : nil
        services = try Server.start(own)
        guard let folder = services.dataFolder else { throw LoadFailure("the services have no folder") }
        for index in 0..<count {
            var member = choice
            member.kind = .member(executable: executable, services: folder)
            // The embedded broker answers a waiting fetch only when the wait is over, so an embedded hub waits 5 ms. Those that read neither
            // events nor the bus there would keep it busy with that.
            let reads = index < storing || choice.settings.contains("bus=kafka")
            member.settings.append("kafka.fetch-wait=\(reads ? "5ms" : "10s")")
            if index >= storing { member.settings += Self.apart("node-\(index)") }
            nodes.append(try Server.start(member))
        }
    }

    private static func apart(_ name: String) -> [String] { ["kafka.topics=hub.bench.\(name)", "kafka.group=hub-bench-\(name)"] }

    public func stop() {
        for node in nodes { node.stop() }
        services.stop()
    }

    deinit { stop() }
}
