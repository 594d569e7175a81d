    static void Check(bool ok) { if (!ok) throw new System.Exception("assertion failed"); }
    public static void Main(string[] args) {
        Check(Add(1, 2) == 3);
        Check(new List<int>(new int[] { Add(1, 1), Math.Max(0, 1) }).SequenceEqual(new List<int>(new int[] { 2, 1 })));
    }
}
