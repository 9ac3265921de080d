use serde_json::{Value, json};

use super::client::{Outcome, Server, delta};
use crate::checkpoints::folder as temporary;
use crate::tool::succeed;

/// A request that takes minutes.
fn long() -> Value {
    json!({"locate": {"a": "demo:base", "b": "demo:reasoner", "bench": "demo", "data": null, "generate": false, "destroy": false,
        "control_seeds": 2}})
}

/// The report of a delta, its rows put back.
fn report(outcome: &Outcome) -> Value {
    assert_eq!(outcome.error, None);
    let rows = outcome.events.iter().filter_map(|event| event.get("tensor").cloned());
    let mut report = outcome.events.last().expect("events")["delta"].clone();
    report["tensors"] = rows.collect();
    report
}

#[test]
fn a_delta_over_the_socket_is_that_of_the_command_line() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let over_socket = report(&server.socket().run(&delta("o_proj + norm")));
    let words = ["delta", "demo:base", "demo:reasoner", "--select", "o_proj + norm", "--compute", "cpu", "--json", "-"];
    let mut on_line: Value = serde_json::from_str(&succeed(&words)).expect("JSON");
    for timed in ["seconds", "command"] {
        on_line[timed] = over_socket[timed].clone();
    }
    assert!(on_line["tensors"].as_array().is_some_and(|rows| rows.len() > 10));
    assert!(over_socket == on_line, "the numbers differ");
}

#[test]
fn several_sockets_see_the_same_job_and_it_goes_on_without_any() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let mut first = server.socket();
    let (_, id) = first.begin(&delta("all"));
    let id = id.expect("it is kept");
    let mut second = server.socket();
    drop(first);
    let job = second.attach(id);
    let heard = second.listen(job);
    let mut third = server.socket();
    let job = third.attach(id);
    let again = third.listen(job);
    assert!(report(&heard) == report(&again), "both hear all of it");
    let jobs = server.socket().jobs(|jobs| !jobs.is_empty());
    assert_eq!(jobs[0]["words"], "delta demo:base demo:reasoner");
    assert_eq!(jobs[0]["state"], json!({"ended": "done"}));
}

#[test]
fn one_job_runs_and_the_rest_wait_and_any_of_them_can_be_stopped() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let mut socket = server.socket();
    let (running, _) = socket.begin(&long());
    let (waiting, waiting_id) = socket.begin(&delta("all"));
    let jobs = socket.jobs(|jobs| jobs.len() == 2 && jobs[1]["state"].get("running").is_some());
    assert_eq!(jobs[0]["state"], "waiting");
    // What answers somebody who looks at something does not wait.
    assert_eq!(socket.run(&json!({"inspect": {"checkpoint": "demo:base"}})).error, None);
    socket.tell(&json!({"stop_kept": {"id": waiting_id}}));
    assert_eq!(socket.listen(waiting).error, None);
    socket.tell(&json!({"forget": {"id": waiting_id}}));
    socket.tell(&json!({"stop": {"job": running}}));
    assert_eq!(socket.listen(running).error, None);
    let jobs = socket.jobs(|jobs| jobs.len() == 1 && jobs[0]["state"].get("ended").is_some());
    assert_eq!(jobs[0]["state"]["ended"], "stopped");
}

#[test]
fn a_thousand_requests_wait_and_one_more_is_told_how_many() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let mut socket = server.socket();
    socket.begin(&long());
    for job in 1000..2024 {
        socket.tell(&json!({"run": {"job": job, "request": delta("final_norm")}}));
    }
    let refused = socket.run(&delta("final_norm")).error.expect("one too many");
    assert!(refused.contains("1024 jobs are waiting already"), "{refused}");
    server.kill();
    // Nothing is lost: they wait where they waited.
    let server = Server::start(folder.path(), &[]);
    let mut socket = server.socket();
    let (_, list, _) = std::iter::repeat_with(|| socket.hear()).find(|(what, ..)| what == "jobs").expect("a list");
    assert_eq!(list["kept"], 1025);
    assert!(list["waiting"].as_u64().is_some_and(|waiting| waiting > 900), "{list}");
}

#[test]
fn a_killed_server_comes_back_with_what_its_jobs_had_said_and_lets_the_same_page_in() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let cookie = server.cookie();
    let mut socket = server.socket_with(&cookie).expect("a socket");
    let (done, done_id) = socket.begin(&delta("o_proj"));
    let before = socket.listen(done);
    let (_, cut_id) = socket.begin(&long());
    // It has said something.
    while socket.hear().0 != "event" {}
    let port = server.port;
    server.kill();
    let server = Server::start_at(folder.path(), port, &[]);
    let mut socket = server.socket_with(&cookie).expect("the cookie is still good");
    let jobs = socket.jobs(|jobs| jobs.len() == 2);
    assert_eq!(jobs[0]["state"], json!({"ended": "interrupted"}));
    assert_eq!(jobs[1]["state"], json!({"ended": "done"}));
    let job = socket.attach(done_id.expect("it is kept"));
    let after = socket.listen(job);
    assert!(report(&after) == report(&before), "nothing of it is lost");
    let job = socket.attach(cut_id.expect("it is kept"));
    let cut = socket.listen(job).error.expect("it did not end well");
    assert!(cut.contains("ask the same again"), "{cut}");
    socket.tell(&json!({"again": {"id": cut_id}}));
    let jobs = socket.jobs(|jobs| jobs.len() == 3 && jobs[0]["state"].get("running").is_some());
    assert_eq!(jobs[0]["words"], jobs[1]["words"]);
}

#[test]
fn a_second_server_does_not_take_the_first_one_s_jobs() {
    let folder = temporary();
    let _server = Server::start(folder.path(), &[]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let arguments = ["serve", "--port", "0", "--state", &path("state"), "--page", &path("page")];
    crate::tool::assert_mentions(&crate::tool::refuse(1, &arguments), &["another server keeps its jobs in", "--state"]);
    let arguments = ["serve", "--port", "0", "--state", &path("other"), "--page", &path("root")];
    crate::tool::assert_mentions(&crate::tool::refuse(1, &arguments), &["is no page", "cargo xtask web"]);
}
