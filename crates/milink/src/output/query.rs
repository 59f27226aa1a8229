//! `--query`: JMESPath over the JSON document, as az has it, and tables of what comes out.

use std::collections::HashMap;

use jmespath::ast::Ast;
use jmespath::{ErrorReason, Expression, JmespathError};
use serde_json::{Map, Value};

use super::table::{Cell, Table};

/// A query that parses. It is compiled with the arguments, so that a wrong one is found before anything is done.
#[derive(Clone)]
pub(crate) struct Query {
    expression: Expression<'static>,
    /// The names of each multi-select hash, in the order in which they were written.
    selections: Vec<Vec<String>>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Query").field(&self.expression.as_str()).finish()
    }
}

impl std::str::FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Query, String> {
        let expression = jmespath::compile(text).map_err(|e| why(&e))?;
        let mut selections = Vec::new();
        collect(expression.as_ast(), &mut selections);
        Ok(Query { expression, selections })
    }
}

fn why(e: &JmespathError) -> String {
    let reason = match &e.reason {
        ErrorReason::Parse(reason) => reason.clone(),
        ErrorReason::Runtime(reason) => reason.to_string(),
    };
    format!("{} (column {} of the JMESPath expression)", reason.trim_end(), e.column + 1)
}

impl Query {
    /// What it selects of a document.
    ///
    /// # Errors
    /// It calls a function with something of another type.
    pub(super) fn search(&self, document: &Value) -> Result<Value, String> {
        let found = self.expression.search(document).map_err(|e| why(&e))?;
        let found = serde_json::to_value(&*found).map_err(|e| e.to_string())?;
        let mut ranks = HashMap::new();
        rank(document, &mut ranks);
        Ok(self.ordered(found, &ranks))
    }

    /// Puts names into the order that was asked for, or else into that of the document: the library sorts them
    /// by the alphabet, and the order of a table's columns is theirs.
    fn ordered(&self, value: Value, ranks: &HashMap<String, usize>) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(|i| self.ordered(i, ranks)).collect(),
            Value::Object(fields) => {
                let selected = self.selections.iter().find(|names| {
                    names.len() == fields.len() && names.iter().all(|n| fields.contains_key(n))
                });
                let place = |name: &String| match selected {
                    Some(names) => names.iter().position(|n| n == name),
                    None => ranks.get(name).copied(),
                };
                let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
                fields.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
                fields.into_iter().map(|(n, v)| (n, self.ordered(v, ranks))).collect::<Map<_, _>>().into()
            }
            plain => plain,
        }
    }
}

/// The place of each name in a document.
fn rank(value: &Value, ranks: &mut HashMap<String, usize>) {
    match value {
        Value::Array(items) => items.iter().for_each(|i| rank(i, ranks)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let next = ranks.len();
                ranks.entry(name.clone()).or_insert(next);
                rank(value, ranks);
            }
        }
        _ => {}
    }
}

fn collect(ast: &Ast, selections: &mut Vec<Vec<String>>) {
    match ast {
        Ast::MultiHash { elements, .. } => {
            let mut names: Vec<String> = elements.iter().map(|e| e.key.clone()).collect();
            names.dedup();
            selections.push(names);
            elements.iter().for_each(|e| collect(&e.value, selections));
        }
        Ast::MultiList { elements, .. } | Ast::Function { args: elements, .. } => {
            elements.iter().for_each(|e| collect(e, selections));
        }
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => {
            collect(lhs, selections);
            collect(rhs, selections);
        }
        Ast::Condition { predicate, then, .. } => {
            collect(predicate, selections);
            collect(then, selections);
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => collect(node, selections),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. } => {}
    }
}

/// A table of any JSON, as az makes one: a row for each item; names become columns, and what has none is called
/// `Column1` or `Result`. What is nested does not fit a cell, and is left out.
pub(super) fn table(value: &Value) -> Table {
    let items = items(value);
    if items.iter().all(|i| i.is_object()) && !items.is_empty() {
        let mut names: Vec<&String> = Vec::new();
        for (name, value) in items.iter().filter_map(|i| i.as_object()).flatten() {
            if !value.is_object() && !value.is_array() && !names.contains(&name) {
                names.push(name);
            }
        }
        let mut table = Table::new(names.iter().map(|n| capitalized(n)));
        for item in &items {
            table.row(names.iter().map(|n| item.get(n.as_str()).map(cell)));
        }
        return table;
    }
    let columns = items.iter().filter_map(|i| i.as_array()).map(Vec::len).max();
    let mut table = match columns {
        Some(n) => Table::new((1..=n).map(|i| format!("Column{i}"))),
        None => Table::new(["Result"]),
    };
    for item in items.iter().filter(|i| !i.is_null()) {
        match item {
            Value::Array(cells) => {
                let filled = cells.iter().map(cell).chain(std::iter::repeat(Cell::default()));
                table.row(filled.take(columns.unwrap_or_default()));
            }
            single => {
                table.row([cell(single)]);
            }
        }
    }
    table
}

/// TSV of any JSON, as az makes it: a line for each item. Of a list in a cell there is its length, of an object
/// nothing, so that the number of columns stays.
pub(super) fn tsv(value: &Value) -> String {
    let mut table = Table::new(Vec::<String>::new());
    for item in items(value) {
        match item {
            Value::Null => {}
            Value::Array(cells) => {
                table.row(cells.iter().map(flat));
            }
            Value::Object(fields) => {
                table.row(fields.values().map(flat));
            }
            single => {
                table.row([cell(single)]);
            }
        }
    }
    table.tsv()
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

fn flat(value: &Value) -> Cell {
    match value {
        Value::Array(items) => Cell::number(items.len()),
        plain => cell(plain),
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => Cell::default(),
        Value::Bool(on) => on.to_string().into(),
        Value::Number(n) => Cell::number(n),
        Value::String(text) => text.into(),
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::json!({
            "schemaVersion": 1,
            "links": [
                {"name": "orders", "healthy": true, "lagMs": 12, "databases": ["Chinook"]},
                {"name": "billing", "healthy": false, "lagMs": null, "databases": ["A", "B"]},
            ]
        })
    }

    fn search(query: &str) -> Value {
        query.parse::<Query>().unwrap().search(&document()).unwrap()
    }

    #[test]
    fn names_keep_the_order_that_was_asked_for() {
        let text = serde_json::to_string(&search("links[].{z: name, a: lagMs}")).unwrap();
        assert_eq!(text, r#"[{"z":"orders","a":12},{"z":"billing","a":null}]"#);
        let text = serde_json::to_string(&search("links[0]")).unwrap();
        assert_eq!(text, r#"{"name":"orders","healthy":true,"lagMs":12,"databases":["Chinook"]}"#);
    }

    #[test]
    fn tables_are_az_s() {
        let text = table(&search("links[]")).text(None, false);
        assert_eq!(
            text,
            "Name     Healthy  LagMs\n-------- -------- -----\norders   true        12\nbilling  false\n"
        );
        assert_eq!(table(&search("links[].name")).text(None, false), "Result\n-------\norders\nbilling\n");
        let text = table(&search("links[].[name, lagMs]")).text(None, false);
        assert_eq!(text, "Column1  Column2\n-------- -------\norders        12\nbilling\n");
        assert_eq!(
            tsv(&search("links[].[name, databases, healthy]")),
            "orders\t1\ttrue\nbilling\t2\tfalse\n"
        );
        assert_eq!(tsv(&search("links[0].name")), "orders\n");
        assert_eq!(tsv(&search("nothing")), "");
    }

    #[test]
    fn wrong_ones_say_where() {
        let e = "links[".parse::<Query>().unwrap_err();
        assert!(e.contains("column"), "{e}");
        let e = "length(`1`)".parse::<Query>().unwrap().search(&document()).unwrap_err();
        assert!(e.contains("JMESPath"), "{e}");
    }
}
