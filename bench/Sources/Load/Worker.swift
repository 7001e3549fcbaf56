import Linux

/// A generator process. It follows the orders that its conductor sends on descriptor 3, and ends when the conductor ends.
public enum Worker {
    private static let progressEvery: Int64 = 200_000_000

    public static func run() throws {
        Signals.block()
        let channel = WorkerChannel(Process.channelDescriptor)
        var orders: [Order] = []
        while orders.isEmpty {
            guard try Socket.wait(channel.fd, readable: true, timeout: .seconds(60)) else { return }
            orders = try channel.take()
            if channel.isEnded { return }
        }
        guard case .plan(let plan) = orders.removeFirst() else { throw LoadFailure("a worker is first told its plan") }
        if let processor = plan.processor { try Process.pin(0, to: processor) }
        // A worker that polls without sleeping yields to the conductor, which publishes and probes on the same processor.
        if plan.spins { _ = try Process.run(["chrt", "--idle", "--pid", "0", "\(Process.id)"]) }
        do {
            let crowd = try crowd(plan)
            crowd.announce = { word in try? channel.send(word) }
            try channel.send(Word.planned)
            try work(crowd, channel, orders)
        } catch {
            try? channel.send(Word.failed("\(error)"))
        }
    }

    private static func crowd(_ plan: Plan) throws -> Crowd {
        switch plan.part {
        case .hear(let hearing): try HearingCrowd(plan, hearing)
        case .echo(let echoing): try EchoCrowd(plan, echoing)
        case .ack(let acknowledging): try AckCrowd(plan, acknowledging)
        case .talk(let talking): try TalkCrowd(plan, talking)
        }
    }

    private static func work(_ crowd: Crowd, _ channel: WorkerChannel, _ early: [Order]) throws {
        var orders = early
        var finishing: (expected: Int64?, deadline: Int64)?
        var lastProgress: Int64 = 0
        var failure: (any Error)?
        try crowd.swarm.watch(channel.fd) {
            do { orders += try channel.take() } catch { failure = error }
        }
        while !channel.isEnded {
            if let failure { throw failure }
            for order in orders {
                switch order {
                case .plan: throw LoadFailure("a worker has one plan")
                case .open: crowd.open()
                case .begin:
                    crowd.begin()
                    try channel.send(Word.begun)
                case .finish(let expected, let limit):
                    crowd.finish()
                    finishing = (expected, MonotonicInstant.now.nanoseconds + Int64(limit * 1e9))
                case .pause(let seats): crowd.pause(seats: seats)
                case .resume: crowd.resume()
                case .cut: crowd.cut()
                case .reopen: crowd.reopen()
                case .quit: return
                }
            }
            orders = []
            if let failure = crowd.failure { throw LoadFailure(failure) }
            let now = MonotonicInstant.now.nanoseconds
            if let (expected, deadline) = finishing {
                let isComplete = crowd.isComplete(expected: expected)
                if isComplete || now > deadline {
                    if !isComplete { crowd.count(Findings.incomplete) }
                    finishing = nil
                    try channel.send(Word.done(crowd.found(expected: expected)))
                }
            }
            if now - lastProgress >= progressEvery {
                lastProgress = now
                try channel.send(Word.progress(open: crowd.swarm.openCount, events: crowd.events))
            }
            var wake = lastProgress + progressEvery
            if finishing != nil { wake = min(wake, now + 2_000_000) }
            if let next = crowd.nextMoment { wake = min(wake, next) }
            if let next = crowd.nextConnect { wake = min(wake, next) }
            try crowd.swarm.turn(until: crowd.plan.spins ? 0 : wake)
            crowd.connectMore()
            crowd.act()
        }
    }
}
