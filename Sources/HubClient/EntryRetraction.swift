import Configuration
import JSON
import Linux
import Messaging
package import Store

/// `hub retract`: finds entries in the hub's database and takes them back by way of Kafka, as a service does.
package struct EntryRetraction: Sendable {
    private let database: String
    private let publication: EventPublication

    package init(database: String, publication: EventPublication) {
        self.database = database
        self.publication = publication
    }

    /// - Parameter text: `inbox:alice/17`, `user:alice/17`, `broadcast:system/3`.
    package func entry(_ text: String) throws(CommandFailure) -> [EntryLookup.Found] {
        guard let slash = text.lastIndex(of: "/"), let seq = Int64(text[text.index(after: slash)...]), seq > 0,
            let channel = Channel(operatorsName: String(text[..<slash]))
        else {
            throw CommandFailure(.usage, "--entry \(text): expected a channel and a number, such as user:alice/17 or broadcast:system/3")
        }
        let found: EntryLookup.Found?
        do throws(MigrationError) {
            found = try EntryLookup.entry(database, in: channel, seq: seq)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        guard let found else { throw CommandFailure(.failed, "there is no entry \(text)") }
        return [found]
    }

    package func entries(source: String, id: String) throws(CommandFailure) -> [EntryLookup.Found] {
        let found = try lookUp(source: source, id: id)
        guard !found.isEmpty else { throw CommandFailure(.failed, "no channel has an entry of the event \(id) of the source \(source)") }
        return found
    }

    /// Publishes the retractions, and waits until hubs have carried them out.
    /// - Returns: what `hub publish` says of each record.
    package func retract(_ entries: [EntryLookup.Found], within limit: Duration) throws(CommandFailure) -> [String] {
        if let message = entries.first(where: { $0.kind != "notification" && $0.kind != "system" }) {
            throw CommandFailure(
                .usage,
                "\(message.channel.storedName)/\(message.seq) is of the kind \(message.kind): only what the platform told can be taken back"
            )
        }
        let standing = entries.filter { !$0.isRetracted }
        guard let first = standing.first else { return [] }
        var lines: [String] = []
        var rest = standing[...]
        while !rest.isEmpty {
            let piece = rest.prefix(EventLimits().targets)
            rest = rest.dropFirst(piece.count)
            var event = EventDraft(
                id: try EventPublication.makeID(), type: "retraction", recipients: piece.map(\.channel.target), title: nil)
            event.retraction = .event(id: first.id, source: first.source)
            lines.append(try publication.publish(event, within: limit))
        }
        try wait(for: standing, within: limit)
        return lines
    }

    private func wait(for entries: [EntryLookup.Found], within limit: Duration) throws(CommandFailure) {
        let end = MonotonicInstant.now + limit
        var left = entries.count
        while true {
            left = try isLeft(entries)
            if left == 0 { return }
            guard MonotonicInstant.now < end else { break }
            Thread.pause(.milliseconds(100))
        }
        throw CommandFailure(
            .unavailable,
            "the retraction is in Kafka, and no hub has carried it out for \(left) of \(entries.count) entries within \(limit.quantity): "
                + "is one running?")
    }

    private func isLeft(_ entries: [EntryLookup.Found]) throws(CommandFailure) -> Int {
        guard let first = entries.first else { return 0 }
        do throws(MigrationError) {
            let now: [EntryLookup.Found]
            if entries.count == 1 {
                now = [try EntryLookup.entry(database, in: first.channel, seq: first.seq)].compactMap { $0 }
            } else {
                now = try EntryLookup.entries(database, source: first.source, id: first.id)
            }
            let channels = Set(entries.map(\.channel))
            return now.count { channels.contains($0.channel) && !$0.isRetracted }
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }

    private func lookUp(source: String, id: String) throws(CommandFailure) -> [EntryLookup.Found] {
        do throws(MigrationError) {
            return try EntryLookup.entries(database, source: source, id: id)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }
}

extension EntryLookup.Found {
    /// A JSON object.
    package var line: String {
        let object: JSONValue = [
            "channel": .string(channel.storedName), "seq": .number(JSONNumber(seq)), "source": .string(source), "id": .string(id),
            "kind": .string(kind), "retracted": .bool(isRetracted),
        ]
        return object.text
    }
}

extension Channel {
    /// The name in the store, or a target of events.
    package init?(operatorsName name: String) {
        self.init(storedName: name.hasPrefix("user:") ? "inbox:" + name.dropFirst("user:".count) : name)
    }

    /// As an event names it in `to`.
    var target: String { if case .inbox(let user) = self { "user:" + user.name } else { storedName } }
}
