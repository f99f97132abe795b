"""What the parser's own diagnostics are about: they come from the grammar, not from a check."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.diagnostics import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class GrammarCode:
    """One code of the parser."""

    code: str
    about: str
    """One paragraph for people."""
    level: Level = Level.ERROR
    source: str = "LogScale: grammar guide"
    has_fix: bool = False


_QUIRKS = "LogScale: grammar guide, appendix A"
_CHARACTERS = "LogScale: grammar guide, appendix C"

GRAMMAR_CODES: tuple[GrammarCode, ...] = (
    GrammarCode(
        code="assignment-in-filter",
        about="`field := expression` is a step: it cannot stand inside parentheses or beside "
        "`and`, `or` and `not`.",
    ),
    GrammarCode(
        code="assignment-sign",
        about="A field is assigned with `:=`; `:==` and `:= =` are slips.",
        has_fix=True,
    ),
    GrammarCode(
        code="assignment-word",
        about="`let`, `set` and their like begin no assignment in CQL: `field := value` is one.",
        source="LogScale: expressions",
        has_fix=True,
    ),
    GrammarCode(
        code="call-as-value",
        about="Right of `=` a filter reads text. A function gets the field through `=~`, and "
        "test() compares with what a function returns.",
        source="LogScale: filters, field operator",
    ),
    GrammarCode(
        code="call-compared",
        about="A filter compares a field. What an aggregate gives gets a name with `as=`, and is "
        "compared in the next step; test() compares what other functions return.",
        source="LogScale: filters, test()",
    ),
    GrammarCode(
        code="label-sign",
        about="The queries inside correlate() are named with a colon, `name: { … }`; `=` is for "
        "its other arguments.",
        source="LogScale: correlate()",
        has_fix=True,
    ),
    GrammarCode(
        code="question-mark",
        about="A `?` starts a parameter wherever it stands without quotes: `cmd?.exe` is a value "
        "and, beside it, a search for the parameter's text. One character is a dot of a regex.",
        level=Level.WARNING,
        source="LogScale: user parameters; grammar guide, appendix C",
    ),
    GrammarCode(
        code="question-mark-in-value",
        about="A `?` starts a parameter, so an address with a query string must be quoted.",
        source="LogScale: user parameters; grammar guide, appendix C",
        has_fix=True,
    ),
    GrammarCode(
        code="range-in-brackets",
        about="Other languages write a range of numbers in brackets, `port:[1 TO 9]`. In CQL each "
        "limit is a comparison: `port >= 1 port <= 9`.",
        source="LogScale: operators",
    ),
    GrammarCode(
        code="case-call",
        about="`case` is a statement with clauses in braces, as a step of its own. It returns "
        "nothing, so it can be neither called nor assigned; if() can.",
        source="LogScale: conditional evaluation",
    ),
    GrammarCode(
        code="comma-in-number",
        about="Digits stand together: a comma between thousands ends the number.",
        has_fix=True,
    ),
    GrammarCode(
        code="compound-assignment",
        about="`+=` and its like are written out: `x := x + 1`.",
        source="LogScale: expressions",
        has_fix=True,
    ),
    GrammarCode(
        code="double-equals",
        about="A filter compares with one `=`. Two are the sign of expressions, inside test() and "
        "if() and right of `:=`.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="double-pipe",
        about="There is no `||`; it is read as two pipes with nothing between them. Filters are "
        "joined with the word `or`.",
        source="LogScale: operators",
    ),
    GrammarCode(
        code="empty-guard",
        about="An arm of match names what it takes left of `=>`; `*` takes everything.",
        source="LogScale: conditional evaluation",
        has_fix=True,
    ),
    GrammarCode(
        code="empty-step",
        about="Two pipes with nothing between them: a step was deleted, or is missing.",
        level=Level.WARNING,
        source=_QUIRKS,
        has_fix=True,
    ),
    GrammarCode(
        code="field-needs-quotes",
        about="A field's name without quotes holds letters, digits and `_ . # @ % & \\ ^ ~` only. "
        "One with `-`, `/`, `:` or a blank stands in double quotes.",
        source=_CHARACTERS,
        has_fix=True,
    ),
    GrammarCode(
        code="field-operator-value",
        about="`field =~ function()` passes the field to a function. To compare with a text or a "
        "regex, write `=`.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="if-statement",
        about="There is no `if` with braces: a case statement chooses between steps, and the "
        "function if() between values.",
        source="LogScale: conditional evaluation",
    ),
    GrammarCode(
        code="increment",
        about="`x++` and `x--` are written out: `x + 1`.",
        source="LogScale: expressions",
        has_fix=True,
    ),
    GrammarCode(
        code="infix-in",
        about="`in` is a function: `in(field, values=[…])`, with `!` in front for the opposite. "
        "Relatives of other languages (`in~`, `has_any`, `has_all`) are written with it too.",
        source="LogScale: in()",
        has_fix=True,
    ),
    GrammarCode(
        code="infix-not-like",
        about="`not` is a word before a filter: `not field like text`.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="keyword-case",
        about="`case`, `match` and `like` are documented in lower case only.",
        level=Level.WARNING,
        source="LogScale: conditional evaluation, operators",
        has_fix=True,
    ),
    GrammarCode(
        code="list-as-value",
        about="A comparison has one value on its right. For several there are in() and a regex "
        "with `|`.",
        source="LogScale: filters",
    ),
    GrammarCode(
        code="logic-in-expression",
        about="Expressions have no `and`, `or`, `not` and `&&`. Conditions are joined as filters, "
        "in steps or in the clauses of a case.",
        source="LogScale: expressions",
        has_fix=True,
    ),
    GrammarCode(
        code="missing-arrow",
        about="An arm of match is `guard => steps`.",
        source="LogScale: conditional evaluation",
    ),
    GrammarCode(
        code="mistaken-operator",
        about="Signs such as `!~`, `=<`, `=!` and `!==` compare in other languages. CQL compares "
        "with `=`, `!=`, `<`, `<=`, `>`, `>=` and `like`.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="number-before-field",
        about="A comparison starts with its field and has one number on its right; a range is "
        "two comparisons.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(code="missing-field", about="An operator stands where a field's name is due."),
    GrammarCode(
        code="missing-filter",
        about="`and`, `or`, `not` or a bracket waits for a filter that is not there.",
    ),
    GrammarCode(
        code="missing-pipe",
        about="Steps are separated by `|`; a new line alone separates nothing.",
        has_fix=True,
    ),
    GrammarCode(
        code="missing-value",
        about='A value is due and none is there. The empty text is written `""`.',
    ),
    GrammarCode(
        code="multi-line-string",
        about="Strings end on their line by the grammar guide; LogScale takes longer ones, as its "
        "own dashboards show. `\\n` writes the line break.",
        level=Level.HINT,
    ),
    GrammarCode(
        code="non-breaking-space",
        about="A non-breaking space looks like a blank and is not one; it comes in with text "
        "copied from web pages.",
        source=_CHARACTERS,
        has_fix=True,
    ),
    GrammarCode(
        code="not-one-filter",
        about="A condition of a suppression or a route is exactly one filter: no pipe, no "
        "assignment, no statement.",
        source="this project: a condition is asked of one finding at a time",
    ),
    GrammarCode(
        code="number-expected",
        about="Right of `<`, `<=`, `>` and `>=` a filter takes a number or a parameter. test() "
        "compares two fields.",
        source="LogScale: operators",
    ),
    GrammarCode(
        code="parameter-default",
        about="In braces a parameter has a default: `?{name=default}`.",
        source="LogScale: user parameters",
    ),
    GrammarCode(
        code="parameter-name",
        about="`?` starts a parameter. As text it needs quotes, and as a wildcard for one "
        "character there is only the regex `.`.",
        source="LogScale: user parameters",
    ),
    GrammarCode(
        code="regex-after-like",
        about="`like` compares with text that may hold `*`; a regex stands behind `=`.",
        source="LogScale: operators",
    ),
    GrammarCode(
        code="regex-in-expression",
        about="A regex literal is the value of a filter. Functions that take a regex take it as "
        "text: `regex=\"…\"`.",
        source=_QUIRKS,
    ),
    GrammarCode(
        code="reserved-word",
        about="The names of functions and the words of the language stand for text only in "
        "quotes.",
        source="LogScale: grammar guide, appendix D",
    ),
    GrammarCode(
        code="saved-query-name",
        about="`$` starts the name of a saved query; as text it needs quotes.",
        source="LogScale: user functions",
    ),
    GrammarCode(
        code="saved-query-parentheses",
        about="A saved query is called with parentheses, with or without arguments: `$name()`.",
        source="LogScale: user functions",
        has_fix=True,
    ),
    GrammarCode(
        code="single-equals",
        about="An expression compares with `==`; one `=` is a filter's sign, or names an argument.",
        source="LogScale: expressions",
        has_fix=True,
    ),
    GrammarCode(
        code="single-quotes",
        about="Strings stand in double quotes; the single quote is reserved.",
        source=_CHARACTERS,
        has_fix=True,
    ),
    GrammarCode(
        code="space-before-parenthesis",
        about="A function's name and its parenthesis touch: with a blank between them the name "
        "may be read as text.",
        level=Level.WARNING,
        has_fix=True,
    ),
    GrammarCode(
        code="stray-character",
        about="A closing bracket, `;`, `,` or `=>` that belongs to nothing.",
        has_fix=True,
    ),
    GrammarCode(
        code="too-deep",
        about="Brackets, calls or chains of operators inside each other beyond what the local "
        "engine follows. Real queries stay far below the limit.",
        source="this project: readers of the tree recurse",
    ),
    GrammarCode(
        code="trailing-comma",
        about="A comma before a closing bracket separates nothing; no published query has one.",
        level=Level.WARNING,
        has_fix=True,
    ),
    GrammarCode(code="unclosed-brace", about="A `{` without its `}`."),
    GrammarCode(code="unclosed-bracket", about="A `[` without its `]`.", has_fix=True),
    GrammarCode(code="unclosed-parenthesis", about="A `(` without its `)`."),
    GrammarCode(
        code="unescaped-slash",
        about="A slash inside a character class does not end the regex in LogScale; for readers "
        "and other tools `\\/` is plainer.",
        level=Level.HINT,
        source="the vendor's published queries",
        has_fix=True,
    ),
    GrammarCode(
        code="unexpected-character",
        about="A character that is reserved, or that cannot begin what is due here. Text that "
        "holds it stands in quotes.",
        source=_CHARACTERS,
    ),
    GrammarCode(
        code="unexpected-text",
        about="Something else is due here, mostly `,` or a closing bracket.",
    ),
    GrammarCode(
        code="unknown-regex-flag",
        about="Regex flags are i, m, d, g and F; dot matches newline is `d`.",
        source="LogScale: regular expression flags",
    ),
    GrammarCode(
        code="unterminated-comment",
        about="A `/*` without its `*/` takes the rest of the query with it.",
        source="LogScale: comments",
    ),
    GrammarCode(code="unterminated-regex", about="A regex literal ends on its line with `/`."),
    GrammarCode(
        code="unterminated-string",
        about='A string without its closing `"`; inside, a quote is written `\\"`.',
    ),
    GrammarCode(
        code="word-ends-in-slashes",
        about="A word without quotes may hold `//` and not end in it: `https://` alone is refused.",
        source=_QUIRKS,
        has_fix=True,
    ),
    GrammarCode(
        code="argument-in-parentheses",
        about="Parentheses around a named argument are read, and documented nowhere.",
        level=Level.WARNING,
        has_fix=True,
    ),
    GrammarCode(
        code="array-needs-quotes",
        about='A whole array is named in quotes, `"items[]"`, and only functions take it.',
        source="LogScale: array syntax",
        has_fix=True,
    ),
    GrammarCode(
        code="assignment-in-expression",
        about="A step assigns to one field; `a := b := c` is two steps.",
        source="LogScale: expressions",
    ),
    GrammarCode(
        code="back-quoted-field",
        about="An old way to assign to the field that another field names; setField() is today's.",
        level=Level.WARNING,
        source="LogScale: setField()",
    ),
    GrammarCode(
        code="call-name",
        about="A function's name is letters, digits and `_`, with a `:` behind its namespace.",
    ),
    GrammarCode(
        code="link-in-expression",
        about="`<=>` joins the queries of correlate(); expressions compare with `==`.",
        source="LogScale: correlate()",
    ),
    GrammarCode(
        code="match-as-value",
        about="`match` is a statement with arms in braces, as a step of its own; it has no value.",
        source="LogScale: conditional evaluation",
    ),
    GrammarCode(
        code="missing-semicolon",
        about="The clauses of a case and the arms of a match are separated by `;`.",
        source="LogScale: conditional evaluation",
        has_fix=True,
    ),
    GrammarCode(
        code="not-before-call",
        about="Behind `=~` a call is negated with `!`; the word `not` stands before the field.",
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="path-as-regex",
        about="A `/` where a value begins opens a regex, so a path stands in quotes.",
        has_fix=True,
    ),
    GrammarCode(
        code="pipe-in-brackets",
        about="`|` separates steps; between brackets it stands only in the braces of a subquery.",
    ),
    GrammarCode(
        code="placeholder",
        about="A mark that a template left for a value; it must be filled in, or be a parameter.",
        source="the vendor's published queries",
        has_fix=True,
    ),
    GrammarCode(
        code="quoted-number",
        about="Right of `<`, `<=`, `>` and `>=` a number stands without quotes.",
        level=Level.WARNING,
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="regex-spans-lines",
        about="A regex literal stands on one line; blanks and line breaks in it would count.",
    ),
    GrammarCode(
        code="ternary",
        about="`condition ? a : b` is the function if() here, or a case statement.",
        source="LogScale: if()",
    ),
    GrammarCode(
        code="too-many-errors",
        about="After so many errors the rest is not read: it is hardly a query.",
        source="this project: a report must stay readable",
    ),
    GrammarCode(
        code="triple-quotes",
        about="There are no triple quotes: they read as an empty text beside another one.",
        source=_CHARACTERS,
        has_fix=True,
    ),
    GrammarCode(
        code="unequal-sign",
        about="`<>` is shown on one page of the documentation; everywhere else it is `!=`.",
        level=Level.WARNING,
        source="LogScale: operators",
        has_fix=True,
    ),
    GrammarCode(
        code="verbatim-string",
        about='There is no `@"…"`: a string is `"…"`, with two backslashes for one.',
        level=Level.WARNING,
        source=_CHARACTERS,
        has_fix=True,
    ),
)  # fmt: skip
