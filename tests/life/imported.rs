//! Large imports: what they cost, and that all of them counts.

use super::KEY;
use http::Request;
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

/// About as many as a body holds.
const NUMBERS: usize = 2_000;

fn number(index: usize) -> String {
    format!("+1415555{index:04}")
}

fn import(memory: &Memory, numbers: usize) -> Value {
    let line = |index| {
        let number = number(index);
        format!(
            "{}\n",
            json!({"type": "suppression", "organization": "demo", "number": number})
        )
    };
    let lines: String = (0..numbers).map(line).collect();
    let request = Request::post("/v1/admin/import")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(lines.into_bytes())
        .unwrap();
    serde_json::from_slice(memory.put_to(request).body()).unwrap()
}

fn get(memory: &Memory, path: &str) -> Value {
    let request = Request::get(path)
        .header("x-api-key", KEY)
        .body(Vec::new())
        .unwrap();
    serde_json::from_slice(memory.put_to(request).body()).unwrap()
}

/// A handful of operations, not some for each number: they would keep other writers waiting, and Workers counts them.
#[test]
fn a_long_suppression_list_is_imported_in_one_go() {
    let memory = Memory::demo();
    assert_eq!(
        import(&memory, NUMBERS)["imported"]["suppressions"],
        NUMBERS
    );
    let cost = memory.operations.borrow().clone();
    assert_eq!(cost.rows_written, 2 * NUMBERS);
    assert!(
        cost.document_requests + cost.config_reads + cost.config_writes < 10,
        "{cost:?}"
    );
    for index in [0, 1, NUMBERS - 1] {
        let path = format!("/v1/suppressions/{}", number(index));
        assert_eq!(get(&memory, &path)["number"], number(index).as_str());
    }
    // Again, it adds nothing.
    import(&memory, NUMBERS);
    assert_eq!(memory.operations.borrow().rows_written, 2 * NUMBERS);
}

/// It is read back whole, each number once, with a few operations a page.
#[test]
fn a_long_suppression_list_is_read_in_pages() {
    let memory = Memory::demo();
    import(&memory, 450);
    memory.operations.take();
    let (mut numbers, mut path) = (Vec::new(), "/v1/suppressions?limit=70".to_owned());
    loop {
        let page = get(&memory, &path);
        let data = page["data"].as_array().unwrap();
        numbers.extend(
            data.iter()
                .map(|one| one["number"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/suppressions?limit=70&cursor={cursor}");
    }
    let all: Vec<String> = (0..450).rev().map(number).collect();
    assert_eq!(numbers, all);
    assert!(memory.operations.borrow().document_requests < 40);
}
