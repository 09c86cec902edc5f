// SPDX-License-Identifier: Apache-2.0
//! Tests of C++ symbols: what compilers make, what is broken, and what was made to be expensive.

use super::demangle;

const MAX: usize = 2_000;

#[test]
fn names_are_readable() {
    let cases = [
        ("_Z4mainv", "main()"),
        (
            "_ZN6render15SoftwarePainterIhE4fillERNS_7SurfaceEh",
            "render::SoftwarePainter<unsigned char>::fill(render::Surface&, unsigned char)",
        ),
        ("_ZSt9terminatev", "std::terminate()"),
        ("_ZN10__cxxabiv111__terminateEPFvvE", "__cxxabiv1::__terminate(void (*)())"),
        ("_Znwm", "operator new(unsigned long)"),
        ("_ZdaPv", "operator delete[](void*)"),
        ("_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int>>::push_back(int&&)"),
        ("_ZNSsC1EPKcRKSaIcE", "std::string::basic_string(char const*, std::allocator<char> const&)"),
        ("_ZN1BD0Ev", "B::~B()"),
        ("_ZNKR1A1fEi", "A::f(int) const &"),
        ("_ZN1AppEi", "A::operator++(int)"),
        ("_ZN1AclEi", "A::operator()(int)"),
        ("_ZNK1AcviEv", "A::operator int() const"),
        ("_ZNK1AcvPT_IcEEv", "A::operator char*<char>() const"),
        ("_ZN1AcvSt6vectorIT_SaIS1_EEIiEEv", "A::operator std::vector<int, std::allocator<int>><int>()"),
        ("_Zli3_kme", "operator\"\" _km(long double)"),
        ("_ZN12_GLOBAL__N_14Anon1mEv", "(anonymous namespace)::Anon::m()"),
        ("_ZTV1B", "vtable for B"),
        ("_ZTI1B", "typeinfo for B"),
        ("_ZTC1D0_1B", "construction vtable for B-in-D"),
        ("_ZThn16_N1D1vEv", "non-virtual thunk to D::v()"),
        ("_ZTv0_n24_N1D1vEv", "virtual thunk to D::v()"),
        ("_ZGVZ3locvE1s", "guard variable for loc()::s"),
        ("_ZZN1L1mEvE1s_0", "L::m()::s"),
        ("_ZZ1fvENKUliE_clEi", "f()::{lambda(int)#1}::operator()(int) const"),
        ("_ZZ1fvENKUlT_E0_clIiEEDaS_", "auto f()::{lambda(auto)#2}::operator()<int>(auto) const"),
        ("_ZN1XUt_1gEv", "X::{unnamed type#1}::g()"),
    ];
    read_all(&cases);
}

fn read_all(cases: &[(&str, &str)]) {
    for (symbol, expected) in cases {
        assert_eq!(demangle(symbol, MAX).as_deref(), Some(*expected), "{symbol}");
    }
}

#[test]
fn types_and_template_arguments_are_readable() {
    let cases = [
        ("_Z1fPFiPA3_iRA4_cE", "f(int (*)(int (*) [3], char (&) [4]))"),
        ("_Z1fM1AiMS_KFiiRE", "f(int A::*, int (A::*)(int) const &)"),
        ("_Z1fPFPFicEiE", "f(int (* (*)(int))(char))"),
        ("_Z1fPDoFvvE", "f(void (*)() noexcept)"),
        (
            "_Z1fDv4_fCdnoDuDs",
            "f(float __vector(4), double complex, __int128, unsigned __int128, char8_t, char16_t)",
        ),
        ("_Z3fwdIRiEOT_RS1_", "int& fwd<int&>(int&)"),
        (
            "_Z5packsIJicEEvSt5tupleIJDpPT_EEPFvDpOS1_E",
            "void packs<int, char>(std::tuple<int*, char*>, void (*)(int&&, char&&))",
        ),
        ("_Z5packsIJEEvSt5tupleIJDpPT_EEPFvDpOS1_E", "void packs<>(std::tuple<>, void (*)())"),
        ("_Z2avILc99EEvv", "void av<(char)99>()"),
        ("_Z2avILin5EEvv", "void av<-5>()"),
        ("_Z2avILb1EEvv", "void av<true>()"),
        ("_Z2avILDn0EEvv", "void av<nullptr>()"),
        ("_Z2avIL1E7EEvv", "void av<(E)7>()"),
        ("_Z2avILd3ff8000000000000EEvv", "void av<(double)1.5>()"),
        ("_Z2avIXadL_Z2g1iEEEvv", "void av<&(g1(int))>()"),
        ("_Z2enIivEvT_", "void en<int, void>(int)"),
        ("_Z3addIiEDTplfp_fp0_ET_S1_", "decltype((({parm#1}) + ({parm#2}))) add<int>(int, int)"),
        ("_Z3sumIJilEEDTfrplfp_EDpT_", "decltype(({parm#1}+...)) sum<int, long>(int, long)"),
        ("_ZN2ns3fooB5cxx11Ev", "ns::foo[abi:cxx11]()"),
        ("_Z3foov.isra.0.cold", "foo() [clone .isra.0.cold]"),
        ("_ZNK1AeqE1B", "A::operator==(B) const"),
    ];
    read_all(&cases);
}

#[test]
fn symbols_in_the_samples_are_readable() {
    let symbol = "_ZSt8for_eachIN9__gnu_cxx17__normal_iteratorIPKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESt6vectorIS7_SaIS7_EEEEZN6render10CompositorclERKSC_EUlRS8_E_ET0_T_SL_SK_";
    let text = demangle(symbol, MAX).unwrap();
    assert!(text.starts_with("render::Compositor::operator()(std::vector<"), "{text}");
    assert!(text.contains(">::{lambda(") || text.contains("::{lambda("), "{text}");
}

#[test]
fn what_is_no_symbol_is_not_read() {
    let symbols = [
        "",
        "_",
        "_Z",
        "main",
        "_ZN",
        "_ZN3fooE1",
        "_Z3fo",
        "_Z9999999999999999999999f",
        "_Z0v",
        "_Z1fS_",
        "_Z1fT_",
        "_ZNE",
        "_ZN1aE!",
        "_Z1fA_",
        "_Z1fM1a",
        "_ZC1v",
        "_Z1fvx\u{e9}",
        "_Z1\u{e9}v",
        "_Z1fDp",
        "_Z1fS1_",
        "_Z1fSzzzzzzzzzzzzzzzzzzzzzz_",
        "_ZTh_",
        "_Z1fLi",
        "_ZcvT_v",
        "_Z1f?",
        "_Z1fv@",
    ];
    for symbol in symbols {
        assert_eq!(demangle(symbol, MAX), None, "{symbol}");
    }
}

#[test]
fn no_more_is_written_than_may_be() {
    assert_eq!(demangle("_Z4mainv", 6).as_deref(), Some("main()"));
    assert_eq!(demangle("_Z4mainv", 5), None);
    // Each type holds the one before it twice: two to the power of its number.
    let doubled: String = (0..30).map(|n| format!("St4pairIS{}_S{0}_E", seq(n))).collect();
    assert_eq!(demangle(&format!("_Z1f1a{doubled}"), MAX), None);
}

fn seq(number: usize) -> String {
    match number.checked_sub(1) {
        None => String::new(),
        Some(digit) => char::from_digit(digit as u32 % 36, 36).unwrap().to_uppercase().to_string(),
    }
}

/// What makes other demanglers take forever or overflow their stack, at the full length of a symbol.
#[test]
fn hostile_symbols_take_no_time_and_little_stack() {
    let tokens = [
        "da", "C1GVqu", "D0St", "C1ISa", "1aI", "N1aI", "P", "K", "A_", "M1a", "Fv", "PFvi", "Ul", "UlvE_",
        "Z", "ZN", "J", "X", "XLZ", "cvi", "nt", "DT", "Dp", "Dv1_", "I", "N", "S", "T", "U1a", "L", "qu",
        "pl", "cl", "srN", "nw", "na_", "fl", "tl", "1aV", "cvsP", "E", "B1a", "on", "dt", "sZ", "sp", "DC",
        "TC", "Tc", "GR",
    ];
    let read = move || {
        let started = std::time::Instant::now();
        for token in tokens {
            for start in ["_Z", "_Z1f", "_Z1fI", "_Z1fIX", "_ZN"] {
                for end in ["", "E", "v", "1aE"] {
                    for count in [90, 1_000] {
                        let mut symbol = start.to_owned() + &token.repeat(count);
                        symbol.push_str(&end.repeat(count));
                        symbol.truncate(4_096);
                        let text = demangle(&symbol, MAX);
                        assert!(text.is_none_or(|text| text.len() <= MAX));
                    }
                }
            }
        }
        // 2,000 symbols; without bounds a single one takes hours.
        assert!(started.elapsed().as_secs() < 30);
    };
    // As much stack as a thread of the server has.
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(read).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_template_parameter_that_stands_for_itself_ends() {
    for symbol in ["_ZN1AcvT_IS0_EEv", "_ZN1AcvPT_IS1_EEv", "_ZN1AcvOT_IOS0_EEv", "_ZN1AcvT_IT_EEv"] {
        assert!(demangle(symbol, MAX).is_none_or(|text| text.len() <= MAX), "{symbol}");
    }
}
