import CEL
import HangGuard
import Testing

@Suite("CEL: the condition as a sentence", .guarded)
struct SentenceTests {
    @Test(
        "Each language has its words",
        arguments: [
            (
                "after.status == \"published\" && changed(after.status)", "status is “published” and status changed",
                "status vaut « published » et status a changé"
            ),
            ("became(status, \"a\")", "status became “a”", "status est devenu « a »"),
            (
                "!changed(status) || !became(status, \"a\")", "status did not change or status did not become “a”",
                "status n'a pas changé ou status n'est pas devenu « a »"
            ),
            ("before.status != \"a\"", "the old value of status is not “a”", "l'ancienne valeur de status ne vaut pas « a »"),
            (
                "after.title == null && after.status != null", "title is empty and status is not empty",
                "title est vide et status n'est pas vide"
            ),
            ("!(after.status in [\"a\", \"b\"])", "status is none of “a”, “b”", "status n'est pas parmi « a », « b »"),
            (
                "after.score < 1 || after.score >= 10 && after.score <= 20",
                "score is less than 1 or (score is at least 10 and score is at most 20)",
                "score est inférieur à 1 ou (score est supérieur ou égal à 10 et score est inférieur ou égal à 20)"
            ),
            ("!(after.score > 1)", "score is not greater than 1", "score n'est pas supérieur à 1"),
            (
                "after.title.startsWith(\"a\") && !after.title.contains(\"b\") && after.title.endsWith(\"c\")",
                "title starts with “a” and title does not contain “b” and title ends with “c”",
                "title commence par « a » et title ne contient pas « b » et title se termine par « c »"
            ),
            (
                "!(changed(status) && changed(score))", "it is false that (status changed and score changed)",
                "il est faux que (status a changé et score a changé)"
            ),
            (
                "after.tags.exists(t, t == \"art\")", "an element t of tags is such that (t is “art”)",
                "un élément t de tags est tel que (t vaut « art »)"
            ),
            (
                "after.tags.all(t, size(t) > 2)", "each element t of tags is such that (the size of t is greater than 2)",
                "chaque élément t de tags est tel que (la taille de t est supérieur à 2)"
            ),
            (
                "has(before.status) && !has(claims.role)", "the old value of status is present and claims.role is absent",
                "l'ancienne valeur de status est présent et claims.role est absent"
            ),
            (
                "after[\"odd name\"] && !after[\"odd name\"]", "odd name is true and odd name is false",
                "odd name est vrai et odd name est faux"
            ),
            (
                "after.score > 1 ? changed(title) : claims.a == true",
                "if score is greater than 1, then title changed, otherwise claims.a is true",
                "si score est supérieur à 1, alors title a changé, sinon claims.a vaut vrai"
            ),
            (
                "now > timestamp(\"2026-01-01T00:00:00Z\") + duration(\"1h\")", "the current time is greater than 2026-01-01T01:00:00Z",
                "l'heure actuelle est supérieur à 2026-01-01T01:00:00Z"
            ),
            (
                "now.getHours() * 2 + after.score == -after.score", "(the hours (UTC) of the current time * 2) + score is −score",
                "(les heures (UTC) de l'heure actuelle * 2) + score vaut −score"
            ),
            (
                "(after.score > 1 ? 2 : 3) == 2", "(2 if score is greater than 1, otherwise 3) is 2",
                "(2 si score est supérieur à 1, sinon 3) vaut 2"
            ),
            ("true", "always", "toujours"), ("!true", "never", "jamais"),
            ("has(claims.a.b) == true", "(claims.a has a b) is true", "(claims.a a un b) vaut vrai"),
        ])
    func sentences(text: String, english: String, french: String) throws {
        let condition = try CELCondition(text, declarations: RowTests.declarations)
        #expect(condition.sentence(in: .english) == english)
        #expect(condition.sentence(in: .french) == french)
    }
}
