import Kafka
import Messaging
import Pacing

// Records that are written to the dead-letter topic before their offsets move on.
extension IntakeFlow {
    mutating func newLetters(_ records: [JudgedRecord]) -> [Letter] {
        var letters: [Letter] = []
        for index in records.indices {
            guard let cause = records[index].cause else { continue }
            lastToken += 1
            let record = records[index]
            letters.append(
                Letter(token: lastToken, record: record.record, cause: cause, attempts: max(1, record.attempts), form: .whole))
        }
        return letters
    }

    mutating func written(_ letter: Letter, _ actions: inout [Action]) {
        if let i = segments.first?.firstIndex(where: {
            $0.partition == letter.record.topicPartition && $0.record.offset == letter.record.offset
        }) {
            switch segments[0][i].judgement {
            case .partly(let drafts, _): segments[0][i].judgement = .entries(drafts)
            case .dead, .entries, .discarded, .settled: segments[0][i].judgement = .settled
            }
        }
        actions.append(.note(.deadLettered(letter)))
        lettersSettled(&actions)
    }

    mutating func failed(_ letter: Letter, _ kind: KafkaError.Kind, _ actions: inout [Action]) {
        var letter = letter
        if kind == .recordTooLarge, let lesser = letter.form.lesser {
            letter.form = lesser
        } else {
            if !letters.mustWait { backoff.failed() }
            letters.mustWait = true
            actions.append(.note(.letterFailed(letter, kind, attempt: backoff.failures)))
        }
        letters.fail(letter)
        lettersSettled(&actions)
    }

    private mutating func lettersSettled(_ actions: inout [Action]) {
        guard letters.areReported, step == .deadLettering else { return }
        if !letters.haveFailed {
            backoff.succeeded()
            step = .idle
        } else if letters.mustWait {
            pause(.deadLetters, &actions)
            backOff(&actions)
        } else {
            // The letters were only too large: their lesser forms are written at once.
            step = .idle
        }
        release(&actions)
    }
}
