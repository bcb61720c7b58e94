; The installer: the program in Program Files, a service, shortcuts. Made by `python -m tools.package` with
; -DVERSION=… -DFOLDER=(the one-dir build) -DOUT=(the file to make); -DSIGN=(a command on %1) signs the uninstaller.
Target amd64-unicode
!include LogicLib.nsh

Name "License Tracking Server"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\LTS"
RequestExecutionLevel admin
SetCompressor /SOLID lzma
ShowInstDetails show
!ifdef SIGN
    !uninstfinalize `${SIGN}` = 0
!endif
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\LTS"

Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

Section
    SetRegView 64
    SetShellVarContext all
    ; an older program may run from there
    ${If} ${FileExists} "$INSTDIR\LTS.exe"
        nsExec::ExecToLog '"$INSTDIR\LTS.exe" service remove'
        Pop $0
        RMDir /r "$INSTDIR\_internal"
        RMDir /r "$INSTDIR\docs"
        RMDir /r "$INSTDIR\proxy"
    ${EndIf}
    SetOutPath "$INSTDIR"
    File /r "${FOLDER}\*"
    WriteUninstaller "$INSTDIR\uninstall.exe"
    WriteRegStr HKLM "${UNINSTALL}" "DisplayName" "License Tracking Server"
    WriteRegStr HKLM "${UNINSTALL}" "DisplayVersion" "${VERSION}"
    WriteRegStr HKLM "${UNINSTALL}" "Publisher" "The LTS developers"
    WriteRegStr HKLM "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
    WriteRegStr HKLM "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
    CreateDirectory "$SMPROGRAMS\LTS"
    CreateShortcut "$SMPROGRAMS\LTS\LTS portal.lnk" "$INSTDIR\LTS.exe" "portal"
    nsExec::ExecToLog '"$INSTDIR\LTS.exe" service install'
    Pop $0
    ${If} $0 != 0
        DetailPrint "The service was not installed; the lines above say why."
        SetErrorLevel 2
    ${Else}
        IfSilent +2
        Exec '"$INSTDIR\LTS.exe" portal'
    ${EndIf}
SectionEnd

Section "Uninstall"
    SetRegView 64
    SetShellVarContext all
    nsExec::ExecToLog '"$INSTDIR\LTS.exe" service remove'
    Pop $0
    RMDir /r "$INSTDIR\_internal"
    RMDir /r "$INSTDIR\docs"
    RMDir /r "$INSTDIR\proxy"
    Delete "$INSTDIR\LTS.exe"
    Delete "$INSTDIR\lts.json.sample"
    Delete "$INSTDIR\LICENSE"
    Delete "$INSTDIR\config-folder.txt"
    Delete "$INSTDIR\uninstall.exe"
    RMDir "$INSTDIR"
    Delete "$SMPROGRAMS\LTS\LTS portal.lnk"
    RMDir "$SMPROGRAMS\LTS"
    DeleteRegKey HKLM "${UNINSTALL}"
    DetailPrint "Licenses and usage stay in ProgramData\LTS; remove them by hand if nobody needs them."
SectionEnd
