#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(add(1, 2), 3);
    }

    #[test]
    fn adds_words() {
        assert_eq!(format!("{}", add(20, 22)), "42");
    }
}
