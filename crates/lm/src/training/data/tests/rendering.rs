use super::*;

#[test]
fn chats_have_the_tokens_and_the_mask_that_transformers_gives_them() {
    for (model, golden) in TextGolden::read().models {
        let text = golden.text();
        for chat in golden.chats {
            let prepared = prepared(&text, None, &[json!({ "messages": chat.messages })]).unwrap();
            assert_eq!(prepared.template, Some(Template::Chat));
            let name = format!("{model}: {}", chat.name);
            assert_eq!(prepared.examples[0].tokens, chat.tokens, "{name}");
            assert_eq!(prepared.examples[0].is_target, chat.is_target, "{name}");
            assert_eq!(whole(&text, &prepared.examples[0]), chat.text, "{name}");
        }
    }
}

#[test]
fn s1s_format_is_that_of_its_public_script() {
    let golden = TextGolden::read();
    let text = golden.models["byte_level"].text();
    for S1Row { row, chat_ml, tokens, is_target } in golden.s1k {
        let prepared = prepared(&text, None, &[row]).unwrap();
        assert_eq!(prepared.template, Some(Template::S1));
        assert_eq!(whole(&text, &prepared.examples[0]), chat_ml);
        assert_eq!(prepared.examples[0], Example { tokens: tokens.clone(), is_target: is_target.clone() });
        // The tokenised set has that text in a column.
        let tokenised = super::prepared(&text, None, &[json!({ "question": "q", "text": chat_ml })]).unwrap();
        assert_eq!(tokenised.examples[0], Example { tokens, is_target });
    }
}

#[test]
fn s1s_format_learns_the_thinking_the_answer_and_the_mark_behind_it() {
    let golden = TextGolden::read();
    let text = golden.models["byte_level"].text();
    let prepared = prepared(&text, None, &[golden.s1k[0].row.clone()]).unwrap();
    let expected = "<|im_start|>think\nLet me think.\n12 times 10 is 120, so 132.\nWait, that is right.\n<|im_start|>answer\n\
        Answer: It is $\\boxed{132}$.<|im_end|>";
    assert_eq!(learnt(&text, &prepared.examples[0]), expected);
}

#[test]
fn a_plain_text_is_the_prompt_the_answer_and_the_end() {
    let text = byte_level().text();
    let end = text.end().unwrap();
    let row = json!({ "prompt": "12 times 11 is", "completion": " 132" });
    let plain = prepared(&text, Some(Template::Plain), std::slice::from_ref(&row)).unwrap();
    let mut prompt = text.encode("12 times 11 is").unwrap();
    let read = prompt.len();
    prompt.extend(text.encode_continuation(" 132").unwrap());
    prompt.push(end);
    assert_eq!(plain.examples[0].tokens, prompt);
    let is_target: Vec<bool> = (0..prompt.len()).map(|at| at >= read).collect();
    assert_eq!(plain.examples[0].is_target, is_target);
    // Without a name in tokenizer_config.json, the configuration's first.
    let unnamed = byte_level().text_with(&json!({}));
    let plain = prepared(&unnamed, None, &[row]).unwrap();
    assert_eq!(plain.template, Some(Template::Plain));
    assert_eq!(plain.examples[0].tokens.last(), Some(&7));
}

#[test]
fn a_plain_conversation_learns_every_answer() {
    let text = byte_level().text();
    let chat = json!({ "messages": [
        { "role": "system", "content": "one" }, { "role": "user", "content": "two" }, { "role": "assistant", "content": "three" },
        { "role": "user", "content": "four" }, { "role": "assistant", "content": "five" }, { "role": "user", "content": "six" }] });
    let plain = prepared(&text, Some(Template::Plain), &[chat]).unwrap();
    assert_eq!(whole(&text, &plain.examples[0]), "one\n\ntwothree<|im_end|>fourfive<|im_end|>");
    assert_eq!(learnt(&text, &plain.examples[0]), "three<|im_end|>five<|im_end|>");
}

#[test]
fn no_token_reaches_from_what_is_read_into_what_is_learnt() {
    let text = byte_level().text();
    // Encoded whole, the two line breaks are one token.
    assert_eq!(text.encode("\n\n").unwrap().len(), 1);
    let prepared = prepared(&text, None, &[json!({ "prompt": "Go on.", "completion": "\nSo." })]).unwrap();
    let example = &prepared.examples[0];
    assert_eq!(learnt(&text, example), "\nSo.<|im_end|>");
    let asked = text.encode_chat(&[crate::text::Message::user("Go on.")]).unwrap();
    assert!(example.tokens.starts_with(&asked));
    assert!(example.is_target[asked.len()] && !example.is_target[asked.len() - 1]);
}

#[test]
fn no_space_comes_between_an_answer_and_the_word_that_it_goes_on_from() {
    let text = TextGolden::read().models["words"].text();
    let row = json!({ "prompt": "Let me th", "completion": "ink" });
    assert!(text.encode("Let me think").unwrap().len() < text.encode("Let me th").unwrap().len() + 1);
    let prepared = prepared(&text, Some(Template::Plain), &[row]).unwrap();
    assert_eq!(whole(&text, &prepared.examples[0]), "Let me think</s>");
    assert_eq!(learnt(&text, &prepared.examples[0]), "ink</s>");
}

#[test]
fn a_template_that_forgets_what_was_thought_makes_an_example_of_each_answer() {
    // As Qwen3's does, only the last answer keeps its thinking.
    let text = byte_level().text_by(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and not loop.last %}\
         {{ m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}\
         {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    );
    let chat = json!({ "messages": [
        { "role": "user", "content": "one" }, { "role": "assistant", "content": "two", "reasoning_content": "hm" },
        { "role": "user", "content": "three" }, { "role": "assistant", "content": "four", "reasoning_content": "ha" }] });
    let prepared = prepared(&text, None, &[chat]).unwrap();
    assert_eq!(prepared.lines, [1, 1]);
    let learnt: Vec<String> = prepared.examples.iter().map(|example| learnt(&text, example)).collect();
    assert_eq!(learnt, ["<think>\nhm\n</think>\n\ntwo<|im_end|>", "<think>\nha\n</think>\n\nfour<|im_end|>"]);
    assert!(!whole(&text, &prepared.examples[1]).contains("hm"));
}

#[test]
fn a_template_that_hides_where_an_answer_begins_or_what_it_says_is_refused() {
    let row = [json!({ "question": "a", "answer": "<b> c" })];
    let failing = |template: &str| prepared(&byte_level().text_by(template), None, &row).unwrap_err().to_string();
    let asks = "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}Well:{% endif %}";
    assert!(failing(asks).contains("line 1: the chat template asks for answer 1 otherwise than it shows it"));
    let drops = "{% for m in messages %}[{{ m.content.split('>')[-1] }}]{% endfor %}";
    assert!(failing(drops).contains("line 1: the chat template shows only a part of answer 1"));
    let fails = "{{ raise_exception('no system please') }}";
    assert_eq!(failing(fails), "preparing rows.jsonl: line 1");
}

#[test]
fn a_template_without_marks_learns_all_of_the_turn() {
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    let text = byte_level().text_by(template);
    let prepared = prepared(&text, None, &[json!({ "question": "a", "answer": "b" })]).unwrap();
    assert_eq!(whole(&text, &prepared.examples[0]), "user: a\nassistant: b\n");
    assert_eq!(learnt(&text, &prepared.examples[0]), "b\n");
}

#[test]
fn templates_that_do_not_go_with_the_rows_or_the_model_are_refused() {
    let golden = TextGolden::read();
    let (text, words) = (golden.models["byte_level"].text(), golden.models["words"].text());
    let refused = |text: &Text, template, row: Value| prepared(text, Some(template), &[row]).unwrap_err().to_string();
    let s1k = golden.s1k[0].row.clone();
    assert!(refused(&words, Template::S1, s1k.clone()).contains("special token <|im_start|>"));
    assert!(refused(&text, Template::S1, json!({ "question": "a", "answer": "b" })).contains("what was thought"));
    let tokens = json!({ "token_ids": [1, 2] });
    assert!(
        refused(&text, Template::Chat, tokens)
            .contains("tokens, of which no other text is made; leave the template chat out")
    );
    // Where s1's marks are missing, the model's own template is what fits.
    let chat = prepared(&words, None, std::slice::from_ref(&s1k)).unwrap();
    assert_eq!(chat.template, Some(Template::Chat));
    assert!(learnt(&words, &chat.examples[0]).contains("<think>\nLet me think."));
    let error = prepare(&conversations(&[s1k]), None, &config(), None, 4_096).unwrap_err().to_string();
    assert!(error.starts_with("rows.jsonl holds text, and the model has no tokenizer.json"), "{error}");
    let endless = DecoderConfig { end_ids: Vec::new(), ..config() };
    let row = conversations(&[json!({ "question": "a", "answer": "b" })]);
    let error = prepare(&row, Some(&byte_level().text_with(&json!({}))), &endless, None, 4_096).unwrap_err();
    assert!(error.to_string().contains("could not learn to stop"), "{error}");
    let small = DecoderConfig { vocabulary: 100, ..config() };
    let error = prepare(&row, Some(&text), &small, None, 4_096).unwrap_err();
    assert!(error.to_string().contains("not in the model's vocabulary of 100"), "{error}");
}

#[test]
fn what_is_too_long_is_left_out_by_name_and_never_cut() {
    let row = |length: usize| json!({ "token_ids": vec![3; length] });
    let rows = conversations(&[row(4), row(9), row(8), row(12)]);
    let prepared = prepare(&rows, None, &config(), None, 8).unwrap();
    assert_eq!(prepared.lengths(), [4, 8]);
    assert_eq!(prepared.lines, [1, 3]);
    assert_eq!((prepared.tokens(), prepared.targets(), prepared.limit), (12, 10, 8));
    assert_eq!(prepared.too_long, [TooLong { line: 2, tokens: 9 }, TooLong { line: 4, tokens: 12 }]);
    let none = |config: &DecoderConfig, block| prepare(&rows, None, config, None, block).unwrap_err().to_string();
    assert_eq!(
        none(&config(), 3),
        "none of the 4 examples of rows.jsonl fits into 3 tokens; the shortest needs a block of 4, all need 12"
    );
    let short = DecoderConfig { positions: Some(2), ..config() };
    assert!(none(&short, 8).contains("fits into 2 tokens, which is what the model was made for;"));
}

#[test]
fn an_example_is_shown_whole_even_where_a_token_is_a_part_of_a_character() {
    let text = byte_level().text();
    let fox = text.encode("🦊!").unwrap();
    assert!(fox.len() > 2);
    let shown = |tokens: Vec<u32>| Shown::new(&Example { is_target: vec![true; tokens.len()], tokens }, Some(&text));
    let pieces: Vec<String> = shown(fox.clone()).tokens.into_iter().map(|(text, _)| text).collect();
    assert_eq!(pieces.concat(), "🦊!");
    assert_eq!(pieces[0], "");
    // Cut inside the character, what is there is shown as the tokenizer decodes it.
    let cut: String = shown(fox[..1].to_vec()).tokens.into_iter().map(|(text, _)| text).collect();
    assert_eq!(cut, "\u{FFFD}");
    let alone = Shown::new(&Example { tokens: vec![3, 14], is_target: vec![false, true] }, None);
    assert_eq!(alone.tokens, [("3 ".to_owned(), false), ("14 ".to_owned(), true)]);
}
