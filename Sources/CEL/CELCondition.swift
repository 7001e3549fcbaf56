/// The result of a condition for one event.
public enum CELOutcome: Equatable, Sendable {
    case isTrue
    case isFalse
    /// The result depends on a column that was not delivered.
    case unknown(CELUnknown)
    case failure(CELFailure)
}

/// The languages in which a condition can be described.
public enum CELLanguage: Sendable, CaseIterable {
    case english
    case french
}

/// A condition in a subset of Google's Common Expression Language, with `changed()` and `became()` for rows (docs/reference/conditions.md).
///
/// Syntax, types and cost are checked once, when it is made. An evaluation cannot trap, and its time is bounded by `cost`.
public struct CELCondition: Sendable {
    public let text: String
    /// The condition in one spelling: two conditions with the same tree have the same one.
    public let canonicalText: String
    /// Kept, because a copy of the program for each evaluation would retain all of its arrays.
    private let evaluator: Evaluator

    /// Throws the first error of the text, with its place.
    public init(_ text: String, declarations: CELDeclarations, limits: CELLimits = .standard) throws(CELError) {
        self.text = text
        do throws(Fault) {
            let expression = try Parser.parse(text, limits)
            let (program, type) = try Checker.check(expression, declarations, limits)
            guard type == .bool || type == .dyn else { throw Fault(expression.start, "expected a condition of type bool, got \(type)") }
            canonicalText = expression.description
            evaluator = Evaluator(program)
        } catch {
            throw CELError(position: CELPosition(of: error.offset, in: text), message: error.message)
        }
    }

    var program: Program { evaluator.program }

    /// The inputs that the condition reads. Their indices are the slots that `evaluate` asks for.
    public var inputs: [CELInput] { program.inputs }

    /// The worst case of one evaluation, in the steps of `CELLimits.cost`.
    public var cost: Int { program.cost }

    /// Evaluates the condition. `value` gives the value of a slot of `inputs`; nil means that the row, or the field of an open record,
    /// does not exist. It can be asked for a slot more than once.
    public func evaluate(_ value: (_ slot: Int) -> CELValue?) -> CELOutcome {
        do throws(StepFailure) {
            switch try evaluator.run(program.root, value) {
            case .bool(let isTrue): return isTrue ? .isTrue : .isFalse
            case .unknown(let unknown): return .unknown(unknown)
            case let other: return failure(.noSuchOverload(operation: "the condition", kinds: [other.kind]), program.root)
            }
        } catch {
            return failure(error.reason, error.step)
        }
    }

    /// The condition as a sentence for a person who does not know the language of conditions, without capital letter and full stop:
    /// `status is “published” and status changed`.
    public func sentence(in language: CELLanguage) -> String {
        SentenceWriter(program: program, language: language).clause(program.root)
    }

    private func failure(_ reason: CELFailureReason, _ step: Int) -> CELOutcome {
        .failure(CELFailure(position: CELPosition(of: program.offsets[step], in: text), reason: reason))
    }
}
