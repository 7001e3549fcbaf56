import HangGuard
import Kafka
import Messaging
import TestKit
import Testing

@testable import Intake

/// Dialogues with the machine: what happens, and what it wants done.
@Suite(.guarded) struct IntakeFlowTests: IntakeDialogue {
    @Test func `A batch goes to the store at once, the next one behind it, and offsets are committed after the answer`() {
        var flow = flow(holding: [a, b])
        #expect(
            flow.handle(.read([good(a, 5), good(b, 9)])) == [
                .submit(token: 1, [draft("0:5"), draft("1:9")], [position(a, 5), position(b, 9)])
            ])
        #expect(flow.handle(.read([good(a, 6)])) == [])
        #expect(flow.handle(.tick) == [])
        #expect(deeds(flow.handle(.answered(token: 1, stored(2)))) == [.submit(token: 2, [draft("0:6")], [position(a, 6, after: 5)])])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 6), NextOffset(b, 10)])])
        #expect(flow.handle(.tick) == [])
        #expect(deeds(flow.handle(.answered(token: 2, stored(1)))) == [])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 7)])])
        #expect(flow.isQuiet)
    }

    @Test func `A discarded record moves the position without an entry`() {
        var flow = flow(holding: [a])
        #expect(flow.handle(.read([tombstone(a, 3), tombstone(a, 4)])) == [.submit(token: 1, [], [position(a, 4)])])
        #expect(
            flow.handle(.answered(token: 1, stored(0)))
                == [.note(.stored(records: 2, entries: 0, duplicates: 0, discards: ["tombstone", "tombstone"]))])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 5)])])
    }

    @Test func `While the store is away the partitions are paused and the same batch is tried again, ever later`() {
        var flow = flow(holding: [a])
        let submission: (UInt64) -> IntakeFlow.Action = { .submit(token: $0, [self.draft("0:1")], [self.position(self.a, 1)]) }
        #expect(flow.handle(.read([good(a, 1)])) == [submission(1)])
        #expect(
            flow.handle(.answered(token: 1, .failed(.unavailable)))
                == [
                    .note(.storeUnavailable(attempt: 1)), .pause([a]), .note(.paused(.storeUnavailable)), .retry(after: .milliseconds(100)),
                ])
        // A partition that comes meanwhile is paused too.
        #expect(flow.handle(.assigned([b])) == [.pause([b])])
        var delays: [Duration] = []
        for token in UInt64(2)...9 {
            #expect(flow.handle(.retryDue) == [submission(token)])
            for case .retry(let delay) in flow.handle(.answered(token: token, .failed(.unavailable))) { delays.append(delay) }
        }
        #expect(
            delays == [
                .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1_600), .milliseconds(3_200), .seconds(5),
                .seconds(5), .seconds(5),
            ])
        #expect(flow.handle(.tick) == [])
        #expect(flow.handle(.retryDue) == [submission(10)])
        #expect(deeds(flow.handle(.answered(token: 10, stored(1)))) == [.resume([a, b])])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 2)])])
        // The next trouble starts with the short delay again.
        _ = flow.handle(.read([good(a, 2)]))
        #expect(deeds(flow.handle(.answered(token: 11, .failed(.unavailable)))).last == .retry(after: .milliseconds(100)))
    }

    @Test func `A store that is full for a moment is asked again without pausing, one that stays full pauses`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 1)]))
        #expect(deeds(flow.handle(.storeFull(token: 1))) == [.retry(after: .milliseconds(100))])
        _ = flow.handle(.retryDue)
        #expect(deeds(flow.handle(.storeFull(token: 2))) == [.pause([a]), .retry(after: .milliseconds(200))])
    }

    @Test func `Answers to earlier requests and stray timers change nothing`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 1)]))
        _ = flow.handle(.answered(token: 1, .failed(.unavailable)))
        #expect(flow.handle(.answered(token: 1, stored(1))) == [])
        #expect(flow.handle(.storeFull(token: 1)) == [])
        #expect(flow.handle(.letterWritten(token: 7)) == [])
        _ = flow.handle(.retryDue)
        #expect(flow.handle(.retryDue) == [])
        #expect(flow.handle(.tick) == [])
    }

    @Test(arguments: 1...9, 1...3)
    func `The one record the store refuses is found, dead-lettered, and all others are stored in order`(count: Int, refusals: Int) {
        for culprit in 0..<count {
            var flow = flow(holding: [a]) { $0.refusals = refusals }
            var pending = flow.handle(.read((0..<count).map { good(a, Int64($0)) }))
            var kept: [String] = []
            var deadLetteredBefore: Int?
            var asked = 0
            while !pending.isEmpty {
                var next: [IntakeFlow.Action] = []
                for action in pending {
                    switch action {
                    case .submit(let token, let drafts, _, _):
                        if drafts.contains(draft("0:\(culprit)")) {
                            asked += 1
                            next += flow.handle(.answered(token: token, .failed(.refused("numeric overflow"))))
                        } else {
                            kept += drafts.map(\.id)
                            next += flow.handle(.answered(token: token, stored(drafts.count)))
                        }
                    case .deadLetter(let letters):
                        #expect(letters.map(\.record.offset) == [Int64(culprit)])
                        #expect(letters.map(\.cause) == [DeathCause(reason: "refused", detail: "numeric overflow")])
                        #expect(letters.map(\.attempts) == [asked])
                        // Nothing at or behind the record may be committed before the letter is written.
                        for case .commit(let offsets) in flow.handle(.tick) { #expect(offsets == [NextOffset(a, Int64(culprit))]) }
                        deadLetteredBefore = kept.count
                        next += flow.handle(.letterWritten(token: letters[0].token))
                    case .retry: next += flow.handle(.retryDue)
                    case .commit, .note: break
                    case .pause, .resume, .release, .check, .seek, .changeAccess: Issue.record("\(action)")
                    }
                }
                pending = next
            }
            #expect(kept == (0..<count).filter { $0 != culprit }.map { "0:\($0)" })
            #expect(deadLetteredBefore == culprit)
            #expect(asked >= refusals)
            #expect(flow.handle(.tick) == [.commit([NextOffset(a, Int64(count))])])
        }
    }

    @Test func `Rights are taken over before the entries of the same batch, and tried again until they are`() throws {
        var flow = flow(holding: [a])
        let change = ChangePosition(commit: 1, lsn: 1, time: Timestamp(milliseconds: 0))
        let right = AccessChange(row: "db/s.t/1", rule: "r", change: change, grant: nil)
        var granting = good(a, 1)
        granting.access = [right]
        #expect(flow.handle(.read([good(a, 0), granting])) == [.changeAccess(token: 1, [right])])
        #expect(
            deeds(flow.handle(.answered(token: 1, .failed(.unavailable)))) == [.pause([a]), .retry(after: .milliseconds(100))])
        #expect(flow.handle(.tick) == [], "nothing is committable")
        #expect(deeds(flow.handle(.retryDue)) == [.changeAccess(token: 2, [right])])
        let after = deeds(flow.handle(.answered(token: 2, .accessChanged)))
        #expect(after == [.submit(token: 3, [draft("0:0"), draft("0:1")], [position(a, 1)])])
        _ = flow.handle(.answered(token: 3, stored(2)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 2)])])
        // A record that the store refuses is found by halving, and its right goes to the dead-letter topic with it.
        var poison = good(a, 2)
        poison.access = [right]
        guard case .changeAccess(let token, _) = try #require(deeds(flow.handle(.read([poison]))).first) else {
            Issue.record("no order")
            return
        }
        var actions = flow.handle(.answered(token: token, .failed(.refused("x"))))
        for _ in 0..<10 {
            if actions.contains(where: { if case .deadLetter = $0 { true } else { false } }) { return }
            if case .changeAccess(let token, _)? = deeds(actions).first(where: { if case .changeAccess = $0 { true } else { false } }) {
                actions = flow.handle(.answered(token: token, .failed(.refused("x"))))
            } else {
                actions = flow.handle(.retryDue)
            }
        }
        Issue.record("no dead letter")
    }

    @Test func `A dead record's position waits for its letter, however often that fails`() {
        var flow = flow(holding: [a])
        let first = flow.handle(.read([good(a, 1), dead(a, 2), good(a, 3)]))
        var letter = Letter(token: 1, record: record(a, 2), cause: DeathCause(reason: "not_json", detail: nil), attempts: 1, form: .whole)
        #expect(first == [.deadLetter([letter])])
        #expect(deeds(flow.handle(.letterFailed(token: 1, .unreachable))) == [.pause([a]), .retry(after: .milliseconds(100))])
        #expect(flow.handle(.retryDue) == [.deadLetter([letter])])
        #expect(deeds(flow.handle(.letterFailed(token: 1, .unknownTopic))) == [.retry(after: .milliseconds(200))])
        #expect(flow.handle(.tick) == [])
        // Too large is answered with a lesser form at once.
        #expect(flow.handle(.retryDue) == [.deadLetter([letter])])
        letter.form = .truncated
        #expect(flow.handle(.letterFailed(token: 1, .recordTooLarge)) == [.deadLetter([letter])])
        letter.form = .bare
        #expect(flow.handle(.letterFailed(token: 1, .recordTooLarge)) == [.deadLetter([letter])])
        #expect(deeds(flow.handle(.letterFailed(token: 1, .recordTooLarge))) == [.retry(after: .milliseconds(400))])
        #expect(flow.handle(.retryDue) == [.deadLetter([letter])])
        #expect(
            deeds(flow.handle(.letterWritten(token: 1))) == [.submit(token: 2, [draft("0:1"), draft("0:3")], [position(a, 3)])])
        #expect(deeds(flow.handle(.answered(token: 2, stored(2)))) == [.resume([a])])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 4)])])
    }

    @Test func `Only the letters that failed are written again`() {
        var flow = flow(holding: [a])
        guard case .deadLetter(let letters)? = flow.handle(.read([dead(a, 1), dead(a, 2), dead(a, 3)])).first else {
            Issue.record("no letters")
            return
        }
        _ = flow.handle(.letterWritten(token: letters[0].token))
        _ = flow.handle(.letterFailed(token: letters[1].token, .unreachable))
        #expect(deeds(flow.handle(.letterWritten(token: letters[2].token))) == [.pause([a]), .retry(after: .milliseconds(100))])
        #expect(flow.handle(.retryDue) == [.deadLetter([letters[1]])])
    }

    @Test func `A request holds a bounded number of drafts`() {
        var flow = flow(holding: [a]) { $0.draftsPerRequest = 3 }
        var many = good(a, 1)
        many.judgement = .entries((0..<5).map { draft("many \($0)") })
        let actions = flow.handle(.read([good(a, 0), many, good(a, 2), good(a, 3), good(a, 4), good(a, 5)]))
        #expect(actions == [.submit(token: 1, [draft("0:0")], [position(a, 0)])])
        #expect(deeds(flow.handle(.answered(token: 1, stored(1)))) == [.submit(token: 2, many.drafts, [position(a, 1, after: 0)])])
        #expect(
            deeds(flow.handle(.answered(token: 2, stored(5)))) == [
                .submit(token: 3, [draft("0:2"), draft("0:3"), draft("0:4")], [position(a, 4, after: 1)])
            ])
        #expect(deeds(flow.handle(.answered(token: 3, stored(3)))) == [.submit(token: 4, [draft("0:5")], [position(a, 5, after: 4)])])
    }

    @Test func `A request holds a bounded number of bytes, and at least one record`() {
        var flow = flow(holding: [a]) { $0.bytesPerRequest = 10 }
        func sized(_ offset: Int64, _ bytes: Int) -> JudgedRecord {
            var judged = good(a, offset)
            judged.judgement = .entries([draft("0:\(offset)", content: String(repeating: "x", count: bytes))])
            return judged
        }
        var actions = flow.handle(.read([sized(0, 4), sized(1, 6), sized(2, 1), sized(3, 50), sized(4, 2)]))
        var requests: [[String]] = []
        while case .submit(let token, let drafts, _, _)? = actions.last {
            requests.append(drafts.map(\.id))
            actions = flow.handle(.answered(token: token, stored(drafts.count)))
        }
        #expect(requests == [["0:0", "0:1"], ["0:2"], ["0:3"], ["0:4"]])
    }

    @Test func `Drafts the database takes too long over are halved until they are few enough, in order, and more are tried by and by`() {
        var flow = flow(holding: [a]) { $0.draftsPerRequest = 64 }
        var sizes: [Int] = []
        var kept: [String] = []
        var resumed = false
        /// A database that is too slow for more than five drafts at once.
        func serve(_ actions: [IntakeFlow.Action]) {
            var pending = actions
            while !pending.isEmpty {
                var next: [IntakeFlow.Action] = []
                for action in pending {
                    switch action {
                    case .submit(let token, let drafts, _, _):
                        sizes.append(drafts.count)
                        if drafts.count > 5 {
                            next += flow.handle(.answered(token: token, .failed(.tooSlow)))
                        } else {
                            kept += drafts.map(\.id)
                            next += flow.handle(.answered(token: token, stored(drafts.count)))
                        }
                    case .retry: next += flow.handle(.retryDue)
                    case .resume: resumed = true
                    case .pause, .note, .commit: break
                    case .deadLetter, .release, .check, .seek, .changeAccess: Issue.record("\(action)")
                    }
                }
                pending = next
            }
        }
        serve(flow.handle(.read((0..<40).map { good(a, Int64($0)) })))
        #expect(kept == (0..<40).map { "0:\($0)" })
        #expect(sizes.prefix(7) == [40, 40, 20, 20, 10, 10, 5])
        #expect(resumed)
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 40)])])
    }

    @Test func `A record that is too slow alone is tried for ever, and never given up`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 1)]))
        for token in UInt64(1)...20 {
            let actions = flow.handle(.answered(token: token, .failed(.tooSlow)))
            guard case .retry? = actions.last else {
                Issue.record("\(actions)")
                return
            }
            #expect(flow.handle(.retryDue) == [.submit(token: token + 1, [draft("0:1")], [position(a, 1)])])
        }
        #expect(flow.handle(.tick) == [])
    }

    @Test func `A record of which one target does not exist is stored for the others, and dead-lettered before its position moves on`() {
        var flow = flow(holding: [a])
        var mixed = good(a, 2)
        var gone = draft("0:2")
        gone.channel = .conversation(ConversationID("00000000-0000-4000-8000-000000000000")!)
        mixed.judgement = .entries([draft("0:2"), gone])
        _ = flow.handle(.read([good(a, 1), mixed, tombstone(a, 3)]))
        let one = StoredDraft(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), duplicate: false)
        let letter = Letter(
            token: 2, record: record(a, 2),
            cause: DeathCause(
                reason: "no_such_conversation", detail: "to: there is no such conversation",
                targets: ["conversation:00000000-0000-4000-8000-000000000000"]),
            attempts: 1, form: .whole)
        #expect(
            flow.handle(.answered(token: 1, .partlyStored([one, one, nil])))
                == [.note(.stored(records: 0, entries: 2, duplicates: 0, discards: [])), .deadLetter([letter])])
        #expect(flow.handle(.tick) == [])
        // Nothing is stored twice; what is left are the positions.
        #expect(deeds(flow.handle(.letterWritten(token: 2))) == [.submit(token: 3, [], [position(a, 3)])])
        #expect(
            flow.handle(.answered(token: 3, stored(0)))
                == [.note(.stored(records: 3, entries: 0, duplicates: 0, discards: ["tombstone"]))])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 4)])])
    }

    @Test func `A record that is good for some of its targets is dead-lettered, and then stored for them`() {
        var flow = flow(holding: [a])
        var mixed = good(a, 1)
        let cause = DeathCause(reason: "bad_target", detail: nil, targets: ["x"])
        mixed.judgement = .partly([draft("0:1")], cause)
        let letter = Letter(token: 1, record: record(a, 1), cause: cause, attempts: 1, form: .whole)
        #expect(flow.handle(.read([mixed])) == [.deadLetter([letter])])
        #expect(deeds(flow.handle(.letterWritten(token: 1))) == [.submit(token: 2, [draft("0:1")], [position(a, 1)])])
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 2)])])
    }

    @Test func `Reading stops when a batch's worth waits, and a slow answer pauses the partitions`() {
        var flow = flow(holding: [a]) {
            $0.gatheredRecords = 2
            $0.timeoutTicks = 2
        }
        _ = flow.handle(.read([good(a, 1)]))
        #expect(flow.hasRoom)
        _ = flow.handle(.read([good(a, 2), good(a, 3)]))
        #expect(!flow.hasRoom)
        #expect(flow.handle(.tick) == [])
        #expect(flow.handle(.tick) == [.pause([a]), .note(.paused(.storeSlow))])
        #expect(
            deeds(flow.handle(.answered(token: 1, stored(1)))) == [
                .resume([a]), .submit(token: 2, [draft("0:2"), draft("0:3")], [position(a, 3, after: 1)]),
            ])
        #expect(flow.hasRoom)
    }
}
