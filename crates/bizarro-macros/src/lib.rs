//! The attribute `#[bizarro::test]`: a function that describes a world becomes a test of it.
//!
//! Use it through the crate `bizarro`, which documents it and holds everything it expands to.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Type};

/// What every complaint about the function's shape ends with.
const SHAPE: &str = "a bizarro test describes a world: `fn name(world: &mut World) { … }`";

/// Makes a test of a function that describes a world. See the documentation of the crate `bizarro`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = no_arguments(arguments.into()).and_then(|()| expand(function(item.into())?));
    expanded.unwrap_or_else(|error| error.into_compile_error()).into()
}

fn function(item: Tokens) -> Result<ItemFn> {
    let place = item.clone();
    syn::parse2(item)
        .map_err(|_| Error::new_spanned(place, format!("only a function can be a test; {SHAPE}")))
}

fn no_arguments(arguments: Tokens) -> Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        arguments,
        "`#[bizarro::test]` takes no arguments; say it to the world: `world.deadline(secs(60))`, `world.explore(…)`",
    ))
}

fn expand(describe: ItemFn) -> Result<Tokens> {
    check(&describe)?;
    let ItemFn { attrs, vis, sig, block, .. } = &describe;
    let name = &sig.ident;
    let call = quote_spanned! {sig.inputs.span()=>
        ::bizarro::__private::test(
            ::core::concat!("bizarro-test\u{1}", ::core::module_path!(), "::", ::core::stringify!(#name), "\u{1}"),
            #name,
        )
    };
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() {
            #sig #block
            #call
        }
    })
}

/// Refuses what could not work, at the place that is wrong.
fn check(describe: &ItemFn) -> Result<()> {
    let signature = &describe.sig;
    let refuse = |at: &dyn quote::ToTokens, what: &str| {
        Err(Error::new_spanned(at, format!("{what}; {SHAPE}")))
    };
    if let Some(asyncness) = &signature.asyncness {
        return refuse(
            asyncness,
            "the description is not async, only the programs of its hosts are: \
             pass a `#[tokio::main]` function to `.program(…)` or `.workload(…)`",
        );
    }
    if !signature.generics.params.is_empty() {
        return refuse(&signature.generics, "a test cannot be generic");
    }
    if let ReturnType::Type(_, output) = &signature.output {
        return refuse(
            output,
            "the description returns nothing: what it finds out is said by checks",
        );
    }
    match signature.inputs.iter().collect::<Vec<_>>()[..] {
        [FnArg::Typed(argument)] if is_exclusive_reference(&argument.ty) => Ok(()),
        [argument] => refuse(argument, "the argument is not `world: &mut World`"),
        [] => refuse(&signature.ident, "the argument `world: &mut World` is missing"),
        [_, second, ..] => refuse(second, "there is one argument too many"),
    }
}

fn is_exclusive_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_some())
}
