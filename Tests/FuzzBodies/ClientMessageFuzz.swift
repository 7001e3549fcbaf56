import JSON
import Messaging

/// Text messages of a client: every line is answered, what is accepted keeps its limits, and every refusal can be told.
enum ClientMessageFuzz {
    static func run(_ input: [UInt8]) {
        let limits = CommandLimits()
        let lines = input.split(separator: UInt8(ascii: "\n")).filter { !$0.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
        let results = ClientCommand.parse(input, limits: limits)
        precondition(results.count == min(max(lines.count, 1), limits.commandsPerMessage + 1))
        for result in results {
            switch result {
            case .success(let command): check(command, limits)
            case .failure(let rejection): check(rejection)
            }
        }
        for (line, result) in zip(lines, results.prefix(limits.commandsPerMessage)) {
            precondition(ClientCommand.parse(Array(line), limits: limits) == [result], "a line's neighbours change its meaning")
        }
    }

    private static func check(_ command: ClientCommand, _ limits: CommandLimits) {
        precondition(command.id ?? 0 <= CommandLimits.maximumNumber)
        switch command.body {
        case .send(let draft):
            precondition(draft.body.utf8.count <= limits.bodyBytes && (1...CommandLimits.keyBytes).contains(draft.key.utf8.count))
            guard let content = try? JSONValue.parse("{\(draft.content)}", limits: JSONLimits(refusesNUL: true)) else {
                preconditionFailure("the content cannot be spliced")
            }
            precondition(content["body"]?.string == draft.body && content["context"]?.string == draft.context)
        case .markRead(let command):
            if case .set(let seqs) = command.selection { check(seqs, limits) }
        case .markUnread(let command):
            check(command.seqs, limits)
        case .history(let command):
            let page = command.page
            precondition((page.after == nil || page.before == nil) && (1...limits.historyPage).contains(page.limit))
        case .conversations(let command):
            precondition((1...limits.historyPage).contains(command.limit))
        case .edit(let command):
            precondition(command.seq > .zero && command.body.utf8.count <= limits.bodyBytes)
        case .delete, .connect, .refresh, .subscribe, .unsubscribe, .ack, .markSeen, .open, .leave, .block, .unblock, .blocks, .why,
            .typing,
            .presence,
            .activity, .ping:
            break
        }
    }

    private static func check(_ seqs: [Seq], _ limits: CommandLimits) {
        precondition((1...limits.setSize).contains(seqs.count) && zip(seqs, seqs.dropFirst()).allSatisfy { $0 < $1 })
    }

    private static func check(_ rejection: CommandRejection) {
        var reply: [UInt8] = []
        ServerMessage.error(rejection, into: &reply)
        guard let value = try? JSONValue.parse(reply) else { preconditionFailure("the refusal is not JSON") }
        precondition(value["re"]?.uint64 == rejection.id && value["error"]?["code"]?.string == rejection.code.rawValue)
        precondition(reply.count < 1_000, "the refusal quotes too much")
    }
}
