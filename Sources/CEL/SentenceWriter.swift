/// Writes each step either as a clause, which is true or false, or as a phrase, which names a value.
struct SentenceWriter {
    let program: Program
    let language: CELLanguage

    /// Only one of the two is built: a nested condition would otherwise take exponential time.
    private func say(_ english: @autoclosure () -> String, _ french: @autoclosure () -> String) -> String {
        language == .english ? english() : french()
    }

    // MARK: Clauses

    func clause(_ step: Int, isNegated: Bool = false) -> String {
        switch program.steps[step] {
        case .not(let operand): return clause(operand, isNegated: !isNegated)
        case .binary(let symbol, let a, let b):
            return "\(phrase(a)) \(isNegated ? negatedVerb(symbol, b) : verb(symbol, b))\(object(symbol, b))"
        case .textCall(let function, let a, let b): return "\(phrase(a)) \(verb(function, isNegated)) \(phrase(b))"
        case .hasSlot(let slot):
            return "\(name(slot)) \(isNegated ? say("is absent", "est absent") : say("is present", "est présent"))"
        case .hasField(let target, let constant):
            let verb = isNegated ? say("has no", "n'a pas de") : say("has a", "a un")
            return "\(phrase(target)) \(verb) \(fieldName(constant))"
        case .changed(_, let slot):
            return "\(name(slot)) \(isNegated ? say("did not change", "n'a pas changé") : say("changed", "a changé"))"
        case .became(let value, _, let slot):
            return "\(name(slot)) \(isNegated ? say("did not become", "n'est pas devenu") : say("became", "est devenu")) \(phrase(value))"
        case .logic(let symbol, let operands) where !isNegated:
            return program.operands[operands].map { inChain($0) }.joined(
                separator: symbol == .and ? say(" and ", " et ") : say(" or ", " ou "))
        case .quantified(let quantifier, let list, let local, let predicate) where !isNegated:
            let variable = program.locals[local]
            let subject =
                quantifier == .all
                ? say(
                    "each element \(variable) of \(phrase(list)) is such that", "chaque élément \(variable) de \(phrase(list)) est tel que")
                : say("an element \(variable) of \(phrase(list)) is such that", "un élément \(variable) de \(phrase(list)) est tel que")
            return "\(subject) (\(clause(predicate)))"
        case .conditional(let condition, let positive, let negative) where !isNegated:
            return say(
                "if \(inChain(condition)), then \(inChain(positive)), otherwise \(inChain(negative))",
                "si \(inChain(condition)), alors \(inChain(positive)), sinon \(inChain(negative))")
        case .constant(let index):
            if case .bool(let value) = program.constants[index] {
                return value != isNegated ? say("always", "toujours") : say("never", "jamais")
            }
            return "\(phrase(step)) \(isNegated ? say("is false", "est faux") : say("is true", "est vrai"))"
        case .logic, .quantified, .conditional: return say("it is false that", "il est faux que") + " (\(clause(step)))"
        case .slot, .local, .select, .index, .list, .negate, .call:
            return "\(phrase(step)) \(isNegated ? say("is false", "est faux") : say("is true", "est vrai"))"
        }
    }

    /// A clause among others, in parentheses where the words 'and' and 'or' would be ambiguous.
    private func inChain(_ step: Int) -> String {
        switch program.steps[step] {
        case .logic, .conditional: "(\(clause(step)))"
        default: clause(step)
        }
    }

    private func isNull(_ step: Int) -> Bool { program.constant(step) == .null }

    private func verb(_ symbol: BinaryOperator, _ object: Int) -> String {
        switch symbol {
        case .equal: isNull(object) ? say("is empty", "est vide") : say("is", "vaut")
        case .notEqual: isNull(object) ? say("is not empty", "n'est pas vide") : say("is not", "ne vaut pas")
        case .less: say("is less than", "est inférieur à")
        case .lessOrEqual: say("is at most", "est inférieur ou égal à")
        case .greater: say("is greater than", "est supérieur à")
        case .greaterOrEqual: say("is at least", "est supérieur ou égal à")
        case .isIn: say("is one of", "est parmi")
        // Arithmetic is a phrase; here its result is used as a truth value.
        case .add, .subtract, .multiply, .divide, .remainder: symbol.rawValue
        }
    }

    private func negatedVerb(_ symbol: BinaryOperator, _ object: Int) -> String {
        switch symbol {
        case .equal: verb(.notEqual, object)
        case .notEqual: verb(.equal, object)
        case .less: say("is not less than", "n'est pas inférieur à")
        case .lessOrEqual: say("is not at most", "n'est pas inférieur ou égal à")
        case .greater: say("is not greater than", "n'est pas supérieur à")
        case .greaterOrEqual: say("is not at least", "n'est pas supérieur ou égal à")
        case .isIn: say("is none of", "n'est pas parmi")
        case .add, .subtract, .multiply, .divide, .remainder: symbol.rawValue
        }
    }

    /// What follows the verb, with its space.
    private func object(_ symbol: BinaryOperator, _ step: Int) -> String {
        if isNull(step), symbol == .equal || symbol == .notEqual { return "" }
        if symbol == .isIn, case .list(let elements)? = program.constant(step) {
            return " " + elements.map { text($0) }.joined(separator: ", ")
        }
        return " " + phrase(step)
    }

    private func verb(_ function: Function, _ isNegated: Bool) -> String {
        switch function {
        case .startsWith: isNegated ? say("does not start with", "ne commence pas par") : say("starts with", "commence par")
        case .endsWith: isNegated ? say("does not end with", "ne se termine pas par") : say("ends with", "se termine par")
        default: isNegated ? say("does not contain", "ne contient pas") : say("contains", "contient")
        }
    }

    // MARK: Phrases

    private func phrase(_ step: Int) -> String {
        switch program.steps[step] {
        case .constant(let index): text(program.constants[index])
        case .slot(let slot): name(slot)
        case .local(let local): program.locals[local]
        case .select(let target, let constant): "\(phrase(target)).\(fieldName(constant))"
        case .index(let target, let index): "\(phrase(target))[\(phrase(index))]"
        case .list(let operands): program.operands[operands].map { phrase($0) }.joined(separator: ", ")
        case .negate(let operand): "−\(phrase(operand))"
        case .binary(let symbol, let a, let b) where symbol.precedence > BinaryOperator.equal.precedence:
            "\(operand(a)) \(symbol.rawValue) \(operand(b))"
        case .conditional(let condition, let positive, let negative):
            say(
                "(\(phrase(positive)) if \(inChain(condition)), otherwise \(phrase(negative)))",
                "(\(phrase(positive)) si \(inChain(condition)), sinon \(phrase(negative)))")
        case .call(let function, let value): "\(name(function)) \(phrase(value))"
        case .not, .logic, .binary, .textCall, .hasField, .hasSlot, .quantified, .changed, .became: "(\(clause(step)))"
        }
    }

    private func operand(_ step: Int) -> String {
        if case .binary = program.steps[step] { "(\(phrase(step)))" } else { phrase(step) }
    }

    private func fieldName(_ constant: Int) -> String {
        if case .string(let name) = program.constants[constant] { name } else { "" }
    }

    private func name(_ slot: Int) -> String {
        switch program.inputs[slot] {
        case .column(let column):
            column.row == .after ? column.name : say("the old value of \(column.name)", "l'ancienne valeur de \(column.name)")
        case .variable("now"): say("the current time", "l'heure actuelle")
        case .variable(let name): name
        case .field(let record, let name): "\(record).\(name)"
        }
    }

    private func text(_ value: CELValue) -> String {
        switch value {
        case .null: say("empty", "vide")
        case .bool(let value): value ? say("true", "vrai") : say("false", "faux")
        case .string(let text): say("“\(text)”", "« \(text) »")
        case .list(let elements): elements.map { text($0) }.joined(separator: ", ")
        case .timestamp(let time): time.description
        case .duration(let duration): duration.description
        case .int, .double, .bytes, .map, .unknown: value.literalText
        }
    }

    private func name(_ function: Function) -> String {
        switch function {
        case .size: say("the size of", "la taille de")
        case .string: say("the text of", "le texte de")
        case .int: say("the integer of", "l'entier de")
        case .double: say("the number of", "le nombre de")
        case .timestamp: say("the time", "l'instant")
        case .duration: say("the duration", "la durée")
        case .getFullYear: say("the year of", "l'année de")
        case .getMonth: say("the month (from 0) of", "le mois (à partir de 0) de")
        case .getDate: say("the day of the month of", "le jour du mois de")
        case .getDayOfMonth: say("the day of the month (from 0) of", "le jour du mois (à partir de 0) de")
        case .getDayOfWeek: say("the day of the week (Sunday is 0) of", "le jour de la semaine (dimanche vaut 0) de")
        case .getDayOfYear: say("the day of the year (from 0) of", "le jour de l'année (à partir de 0) de")
        case .getHours: say("the hours (UTC) of", "les heures (UTC) de")
        case .getMinutes: say("the minutes of", "les minutes de")
        case .getSeconds: say("the seconds of", "les secondes de")
        case .getMilliseconds: say("the milliseconds of", "les millisecondes de")
        case .startsWith, .endsWith, .contains: verb(function, false)
        }
    }
}
