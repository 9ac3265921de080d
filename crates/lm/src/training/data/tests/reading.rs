use super::*;

/// Rows as on the Hub, by pyarrow: `tests/goldens/training_rows.py`.
fn shared(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/training").join(name);
    std::fs::read(path).unwrap()
}

#[track_caller]
fn refused(file: &str, bytes: &[u8]) -> String {
    Conversations::read(file, bytes, None).unwrap_err().to_string()
}

fn turns(conversations: &Conversations) -> Vec<Vec<Turn>> {
    let turns = |row: &Conversation| match &row.content {
        Content::Turns(turns) => turns.clone(),
        other => panic!("{other:?}"),
    };
    conversations.rows().iter().map(turns).collect()
}

fn turn((role, thinking, content): (&str, Option<&str>, &str)) -> Turn {
    Turn { role: role.into(), thinking: thinking.map(str::to_owned), content: content.into() }
}

#[test]
fn the_sets_of_the_hub_are_the_same_rows_in_parquet_and_in_json_lines() {
    for (name, kind) in [("s1k", Kind::S1k), ("s1k_1_1", Kind::S1k11), ("chats", Kind::Messages)] {
        let read = |ending: &str| {
            let file = format!("{name}.{ending}");
            Conversations::read(&file, &shared(&file), None).unwrap()
        };
        let (parquet, json) = (read("parquet"), read("jsonl"));
        assert_eq!(parquet.kind(), kind);
        assert_eq!(parquet.rows(), json.rows());
        assert_eq!(parquet.fingerprint(), json.fingerprint());
        assert_ne!(parquet.file_hash(), json.file_hash());
    }
}

#[test]
fn s1k_has_geminis_thinking_line_by_line_and_s1k_1_1_has_deepseeks() {
    let s1k = Conversations::read("s1k.parquet", &shared("s1k.parquet"), None).unwrap();
    let expected =
        [("user", None, "Which animal?"), ("assistant", Some("It jumps.\nIt is quick."), "Answer: a fox")].map(turn);
    assert_eq!(turns(&s1k)[1], expected);
    let s1k = Conversations::read("s1k_1_1.parquet", &shared("s1k_1_1.parquet"), None).unwrap();
    let thought = Some("Okay, 12 times 11.\n\n120 plus 12.");
    assert_eq!(turns(&s1k)[0], [("user", None, "What is 12 times 11?"), ("assistant", thought, "**132**")].map(turn));
}

#[test]
fn chats_are_read_in_both_spellings() {
    let open_ai = json!({ "messages": [{ "role": "user", "content": "a" },
        { "role": "assistant", "content": "b", "reasoning_content": "c" }] });
    let read = conversations(&[open_ai]);
    assert_eq!(turns(&read), [[("user", None, "a"), ("assistant", Some("c"), "b")].map(turn)]);
    let share_gpt = json!({ "conversations": [{ "from": "human", "value": "a" }, { "from": "gpt", "value": "b" }] });
    let read = conversations(&[share_gpt]);
    assert_eq!(read.kind(), Kind::Messages);
    assert_eq!(turns(&read), [[("user", None, "a"), ("assistant", None, "b")].map(turn)]);
}

#[test]
fn questions_and_answers_are_found_by_the_names_of_their_columns() {
    for (question, answer) in [("prompt", "completion"), ("question", "answer"), ("instruction", "output")] {
        let read = conversations(&[json!({ question: "2+2=", answer: 4, "id": 1 })]);
        assert_eq!(read.kind(), Kind::Answers);
        assert_eq!(turns(&read), [[("user", None, "2+2="), ("assistant", None, "4")].map(turn)]);
    }
    let alpaca = [
        json!({ "instruction": "Add.", "input": "2, 2", "output": "4" }),
        json!({ "instruction": "Hi", "output": "Ho" }),
    ];
    assert_eq!(turns(&conversations(&alpaca))[0][0].content, "Add.\n\n2, 2");
    assert_eq!(turns(&conversations(&alpaca))[1][0].content, "Hi");
    let table = Conversations::read("t.csv", b"question,answer,reasoning\n\"a\nb\",c,d\n", None).unwrap();
    assert_eq!(turns(&table), [[("user", None, "a\nb"), ("assistant", Some("d"), "c")].map(turn)]);
}

#[test]
fn columns_can_be_named() {
    let columns = DataColumns::Answers {
        prompt: vec!["frage".into()],
        thinking: None,
        answer: "antwort".into(),
        system: Some("rolle".into()),
    };
    let row = json!({ "frage": "a", "antwort": "b", "rolle": "c" }).to_string();
    let read = Conversations::read("t.jsonl", row.as_bytes(), Some(&columns)).unwrap();
    assert_eq!(turns(&read)[0], [("system", None, "c"), ("user", None, "a"), ("assistant", None, "b")].map(turn));
    let error =
        Conversations::read("t.jsonl", br#"{"frage":"a","answer":"b"}"#, Some(&columns)).unwrap_err().to_string();
    assert_eq!(
        error,
        "reading t.jsonl: it lacks the columns \"antwort\", \"rolle\"; it has the columns \"answer\", \"frage\""
    );
}

#[test]
fn tokens_are_taken_as_they_are() {
    let rows = [
        json!({ "token_ids": [5, 6, 7], "is_target": [true, false, true] }),
        json!({ "token_ids": [1, 2], "is_target": [0, 1] }),
    ];
    let read = prepare(&conversations(&rows), None, &config(), None, 16).unwrap();
    assert_eq!(read.template, None);
    // The first cannot be learnt.
    assert_eq!(read.examples[0], Example { tokens: vec![5, 6, 7], is_target: vec![false, false, true] });
    assert_eq!(read.examples[1].is_target, [false, true]);
    let unmarked = conversations(&[json!({ "token_ids": [5, 6, 7] })]);
    assert_eq!(
        unmarked.rows()[0].content,
        Content::Tokens(Example { tokens: vec![5, 6, 7], is_target: vec![false, true, true] })
    );
}

#[test]
fn the_fingerprint_is_of_what_is_said_and_of_nothing_else() {
    let row = |question: &str| json!({ "question": question, "answer": "b", "id": 1 });
    let other = json!({ "messages": [{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }] });
    let fingerprint = conversations(&[row("a")]).fingerprint();
    assert_eq!(fingerprint, conversations(&[other]).fingerprint());
    assert_ne!(fingerprint, conversations(&[row("c")]).fingerprint());
    assert_ne!(fingerprint, conversations(&[row("a"), row("a")]).fingerprint());
    assert_eq!(fingerprint.len(), 64);
}

/// The definition, followed by Python's hashlib.
#[test]
fn the_fingerprint_is_what_its_definition_says() {
    let read = conversations(&[json!({ "question": "a", "thinking": "t", "answer": "b" })]);
    assert_eq!(read.fingerprint(), "d7f2bd34c4073e69fe9ff1998552714139716518fc8f999fe1d2cfb1bff0e14b");
    assert_eq!(
        conversations(&[json!({ "token_ids": [1, 258] })]).fingerprint(),
        "254d8b425a4587a6710b5d189cdfdd546fbc598114fe4e2b94a3310ee744751b"
    );
}

#[test]
fn one_row_is_enough_and_none_is_not() {
    assert_eq!(conversations(&[json!({ "question": "a", "answer": "b" })]).rows().len(), 1);
    assert_eq!(refused("t.jsonl", b""), "reading t.jsonl: it has no rows");
    assert_eq!(refused("t.csv", b"question,answer\n"), "reading t.csv: it has no rows");
    let read = Conversations::read("t.csv", b"question,answer\n,\na,b\n", None).unwrap();
    assert_eq!(read.rows()[0].line, 3);
    assert_eq!(read.notes(), ["t.csv: 1 empty rows were left out, the first on line 2"]);
}

#[test]
fn rows_that_cannot_be_learnt_from_are_named_by_their_line() {
    let row = |row: Value| refused("t.jsonl", lines(&[json!({ "question": "a", "answer": "b" }), row]).as_bytes());
    let empty = "reading t.jsonl: line 2: \"answer\" is empty; fill it in or take the row out";
    assert_eq!(row(json!({ "question": "a", "answer": " " })), empty);
    assert_eq!(row(json!({ "question": "a", "answer": null })), empty);
    assert_eq!(row(json!({ "question": "a" })), empty);
    let wrong = "reading t.jsonl: line 2: \"answer\" holds true or false where a text was expected";
    assert_eq!(row(json!({ "question": "a", "answer": true })), wrong);
    let nan = refused("t.jsonl", b"{\"question\":\"a\",\"answer\":\"b\"}\n{\"question\":\"a\",\"answer\":NaN}\n");
    assert!(nan.starts_with("reading t.jsonl: line 2, column 26: expected value"), "{nan}");
    let cut = refused("t.jsonl", b"{\"question\":\"a\",\"answer\":\"b\"}\n{\"question\":\"a\",\"ans");
    assert!(cut.contains("in the middle of line 2"), "{cut}");
}

#[test]
fn chats_that_cannot_be_learnt_from_are_refused() {
    let chat = |messages: Value| refused("t.jsonl", json!({ "messages": messages }).to_string().as_bytes());
    let user = json!({ "role": "user", "content": "a" });
    assert_eq!(
        chat(json!([user, { "role": "assistant", "content": null }])),
        "reading t.jsonl: line 1: \"messages[1].content\" is empty; fill it in or take the row out"
    );
    assert!(chat(json!([user])).ends_with("nothing is to be learnt; no message is the assistant's"));
    assert!(chat(json!([])).contains("nothing is to be learnt"));
    assert!(chat(json!([{ "role": "assistant", "content": "b" }, user])).contains("begins with the assistant"));
    assert!(chat(json!([7])).contains("\"messages[0]\" holds 7 where a message was expected"));
    assert!(chat(json!("hello")).contains("\"messages\" holds a text where a list of messages was expected"));
    assert!(chat(json!([{ "content": "a" }])).contains("\"messages[0].role\" is empty"));
}

#[test]
fn tokens_that_cannot_be_learnt_from_are_refused() {
    let tokens = |row: Value| refused("t.jsonl", row.to_string().as_bytes());
    assert!(
        tokens(json!({ "token_ids": [1, -2] })).contains("\"token_ids[1]\" holds -2 where a token's id was expected")
    );
    assert!(tokens(json!({ "token_ids": [1, 4294967296_u64] })).contains("holds 4294967296"));
    assert!(tokens(json!({ "token_ids": "1 2" })).contains("holds a text where a list was expected"));
    assert!(tokens(json!({ "token_ids": [1, 2], "is_target": [1] })).contains("2 tokens and says of 1"));
    assert!(tokens(json!({ "token_ids": [1, 2], "is_target": [0, 2] })).contains("\"is_target[1]\" holds 2"));
    assert!(tokens(json!({ "token_ids": [1, 2], "is_target": [1, 0] })).contains("nothing is to be learnt"));
    assert!(tokens(json!({ "token_ids": [1] })).contains("nothing is to be learnt"));
    let unknown = prepare(&conversations(&[json!({ "token_ids": [1, 1000] })]), None, &config(), None, 16).unwrap_err();
    assert!(unknown.to_string().contains("line 1: token 1000 is not in the model's vocabulary of 1000"), "{unknown}");
}

#[test]
fn unknown_columns_are_listed_with_those_that_are_known() {
    let error = refused("t.jsonl", br#"{"body":"a","text":"no chat"}"#);
    assert!(error.contains("it has the columns \"body\", \"text\"; expected messages, conversations"), "{error}");
    assert!(error.contains("deepseek_attempt (s1K-1.1)") && error.contains("prompt + completion"), "{error}");
}

#[test]
fn a_cut_parquet_file_is_refused() {
    let whole = shared("chats.parquet");
    for cut in [0, 1, 4, whole.len() / 2, whole.len() - 1] {
        let error = refused("chats.parquet", &whole[..cut]);
        assert!(error.starts_with("reading chats.parquet, a parquet file: "), "{cut}: {error}");
    }
}
